"""The COVID-19 Radiography Database: downloaded by the client of its host, and checked before use."""

import os
from importlib.util import find_spec
from pathlib import Path

from cxr.config.schema import DataConfig
from cxr.data.sources.folders import find_images
from cxr.errors import UserError
from cxr.text import pluralize

HANDLE = "tawsifurrahman/covid19-radiography-database/versions/5"
FOLDER = "COVID-19_Radiography_Dataset"
# As its authors describe this version: https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database
IMAGES = {"COVID": 3616, "Normal": 10192, "Viral Pneumonia": 1345, "Lung_Opacity": 6012}

NOTICE = """\
COVID-19 Radiography Database, version 5, about 0.8 GB, from https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database
Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/. Its authors ask to cite
  M.E.H. Chowdhury et al., Can AI help in screening Viral and COVID-19 pneumonia?, IEEE Access 8, 2020, 132665-132676
  T. Rahman et al., Exploring the effect of image enhancement techniques on COVID-19 detection using chest X-ray images,
  Computers in Biology and Medicine 132, 2021, 104319
It gathers images of several hospitals and databases, each under terms of its own: see that page before you share or publish them.
"""


def fetch(to: Path | None) -> Path:
    """Download the database into a folder and return that of its classes; print licence and citation first.

    The default is where the client keeps what it downloads. Interrupted downloads resume, complete files are not downloaded again,
    and the client checks the archive against its checksum.

    Raises:
        UserError: The client is missing, the download fails, or the downloaded folder is not the database.
    """
    if find_spec("kagglehub") is None:
        raise UserError("cxr data fetch needs a package that is not here: pip install 'cxr[fetch]'")
    print(NOTICE, flush=True)
    if to is not None:
        os.environ["KAGGLEHUB_CACHE"] = str(to.absolute())
    folder = _download()
    for name, count in find_images(DataConfig(classes=list(IMAGES)), folder).class_counts().items():
        if count != IMAGES[name]:
            raise UserError(
                f"{folder} has {pluralize(count, 'image')} of {name} and should have {IMAGES[name]:,}: remove it and fetch again"
            )
    return folder


def _download() -> Path:
    import kagglehub
    from kagglehub.exceptions import DataCorruptionError, KaggleApiHTTPError, UnauthenticatedError
    from requests.exceptions import RequestException

    try:
        return Path(kagglehub.dataset_download(HANDLE)) / FOLDER
    except (UnauthenticatedError, KaggleApiHTTPError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the host refused ({reason}): an account may be needed, see https://www.kaggle.com/settings") from None
    except DataCorruptionError:
        raise UserError("the download is damaged, and was removed: fetch again") from None
    except RequestException as error:
        why = type(error).__name__
        raise UserError(f"the download stopped ({why}): with a network, the same command resumes") from None
    except OSError as error:
        raise UserError(f"can't write the download ({error.strerror or error})") from None
