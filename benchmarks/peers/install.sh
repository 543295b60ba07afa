#!/bin/sh
# Make one virtual environment per peer: benchmarks/peers/install.sh DIR [PYTHON]
# PyTorch comes first and is pinned, so that every peer runs on the PyTorch that gatecast runs on; JAX has its own.
set -eu

dir=${1:?usage: install.sh DIR [PYTHON]}
python=${2:-python3}
torch=${GATECAST_TORCH:-torch==2.13.0}
here=$(cd "$(dirname "$0")" && pwd)

for peer in nf darts keras jax; do
    venv=$dir/$peer
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    [ "$peer" = jax ] || "$venv/bin/python" -m pip install -q "$torch"
    echo "$torch" > "$venv/constraints.txt"
    "$venv/bin/python" -m pip install -q -c "$venv/constraints.txt" -r "$here/$peer.txt"
    "$venv/bin/python" -m pip check
done
echo "installed in $dir; give it to the benchmarks with --peers $dir (or GATECAST_PEERS=$dir)"
