#!/bin/sh
# Installs what the tests need, builds, runs them on every OpenCL device there is. One of README.md's two commands.
set -eu
cd "$(dirname "$0")/.."
sh tools/packages.sh build test
cmake -S . -B build -DBUILD_TESTING=ON
cmake --build build --parallel "$(nproc)"
ctest --test-dir build --output-on-failure --parallel "$(nproc)" "$@"
