# One of Python's own regression tests; each of its cases is a line.
export TMPDIR=$PWD; timeout ${LIMIT:-2400} python3 -m test -v --timeout 2000 "$1"
