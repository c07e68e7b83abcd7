# Sourced by the commands beside it, with $here = their directory.
root=$(CDPATH='' cd -- "$here/.." && pwd)

# Sets $python to a Python that is new enough, or ends with a message.
find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            return 0
        fi
    done
    echo "需要 Python 3.11 或更新的版本，但没有找到。Debian、Ubuntu：apt-get install python3 python3-venv" >&2
    echo "Python 3.11 or newer is needed and was not found. On Debian and Ubuntu: apt-get install python3 python3-venv" >&2
    return 1
}

# `environment run` or `environment dev` leaves a ready .venv behind, or ends with a message.
# The usual case, that it is ready, costs one small Python start.
environment() {
    if [ -x "$root/.venv/bin/python" ] && "$root/.venv/bin/python" -I -S "$here/bootstrap.py" ready "$1" 2>/dev/null; then
        return 0
    fi
    find_python
    "$python" -I "$here/bootstrap.py" make "$1"
}
