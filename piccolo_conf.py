"""Where Piccolo's command line looks for the database and the tables."""

import os

from piccolo.conf.apps import AppRegistry

from hub.settings import load
from orm.engine import make_engine

DB = make_engine(load(os.environ).database)
APP_REGISTRY = AppRegistry(apps=["orm.piccolo_app"])
