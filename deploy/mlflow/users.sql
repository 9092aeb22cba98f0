-- PostgreSQL runs this once, when its volume is new: users and runs have a database each.
CREATE DATABASE mlflow_users OWNER mlflow;
