"""The probes of an audit, a file each: what it measures of images and a trained model, and the result that is stored."""
