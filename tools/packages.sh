#!/bin/sh
# Installs the Debian packages that are missing; needs no network and no rights when none is.
#
#     tools/packages.sh                      what the build needs
#     tools/packages.sh build test demo      named sets
#     tools/packages.sh build libfoo-dev     sets and single packages
#
# Other distributions: README.md has the table of package names.

build="build-essential cmake pkg-config ocl-icd-opencl-dev pocl-opencl-icd clinfo libclblast-dev
       libturbojpeg0-dev libpng-dev libwebp-dev libjansson-dev libutf8proc-dev zlib1g-dev libxxhash-dev libsqlite3-dev
       liblapacke-dev libsentencepiece-dev libchafa-dev libglib2.0-dev libmicrohttpd-dev"
test="libcmocka-dev curl libopenmpi-dev openmpi-bin"
demo="python3-venv python3-pip"

fail() {
    echo "packages.sh: $1" >&2
    exit 1
}

wanted=
for name in "${@:-build}"; do
    case $name in
        build) wanted="$wanted $build" ;;
        test) wanted="$wanted $test" ;;
        demo) wanted="$wanted $demo" ;;
        *) wanted="$wanted $name" ;;
    esac
done

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)
    case $state in
        ?i*) ;; # installed, whatever the wish
        *) missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0

command -v apt-get >/dev/null || fail "no apt-get here; install what these Debian packages hold (README.md):$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "neither root nor sudo; have an administrator install:$missing"
    as_root=sudo
fi

echo "installing:$missing" >&2
apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y"
# shellcheck disable=SC2086 # both are lists of words
$apt update >/dev/null || echo "packages.sh: apt-get update failed; trying with the old lists" >&2
# shellcheck disable=SC2086
$apt install --no-install-recommends $missing >/dev/null || fail "apt-get could not install:$missing"
