#!/bin/sh
# Prints the newest Python that can run Banjie (3.11 or newer), or says what is missing.
for candidate in python3.13 python3.12 python3.11 python3.14 python3; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
done
echo "Banjie needs Python 3.11 or newer with the venv module; none was found on PATH (Debian and Ubuntu: apt-get install python3 python3-venv)." >&2
exit 1
