"""The case desk in the browser: a Flask application factory (:mod:`web.app`) and one package per room."""
