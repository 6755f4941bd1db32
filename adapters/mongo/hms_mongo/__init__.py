"""MongoDB as a source: collections and views, their shape read off a bounded sample, their documents where they lie."""

from hms_mongo.adapter import MongoAdapter
from hms_mongo.config import MongoConfig

__all__ = ["MongoAdapter", "MongoConfig"]
