"""callerid: who crossed, from the logs of AWS and Google Cloud, judged by a caller book."""

__version__ = "0.1.0"
