# shellcheck shell=bash
# What the scripts beside this one have in common: a machine of its own around each, the image of its
# containers, and how something is checked. A script sources it, sets `client` (what is tested, in words)
# and has two functions: `outside` sees whether all that is needed is there and puts it into $scratch,
# `inside` is what happens on that machine. Its last line is: frame "$@"
#
# It exits with 0 if all holds, with 1 if something does not, with 77 if something that it needs is
# missing, which it names; a part that can't be tested for want of something is named, and passed over.
# What is not installed is missing, but for busybox-static. With UNPACK=yes its package is downloaded and
# unpacked for the test; nothing is installed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# in s; what takes longer is killed with all that it has begun
limit_s=280
separate=(--net --mount --pid --fork --kill-child --mount-proc)
failed=0
image=localhost/bb

frame() {
    if [ "${1:-}" = --inside ]; then
        scratch=$2
        own_machine
        inside
        [ "$failed" = 0 ] && echo "$client: all holds"
        exit $((failed > 0))
    fi
    [ "$(id -u)" = 0 ] || missing "it has to be run as root"
    needs unshare ip nft curl
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir "$scratch/bin"
    outside "$@"
    local before status
    before=$(machine)
    timeout -s KILL "$limit_s" unshare "${separate[@]}" "$0" --inside "$scratch"
    status=$?
    if [ "$(machine)" != "$before" ]; then
        echo "FAILED: the machine's own network is otherwise"
        diff <(echo "$before") <(machine)
        exit 1
    fi
    exit "$status"
}

# ---- outside: what is needed ------------------------------------------------------------------------

missing() {
    printf 'NOT TESTED: %s: %s\n' "$client" "$1"
    exit 77
}

# needs PROGRAM...
needs() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || missing "$program is not installed"
    done
}

# unpack PACKAGE: under $scratch/unpacked; it may displace what is installed, or start services there
unpack() {
    mkdir -p "$scratch/debs" "$scratch/unpacked"
    (cd "$scratch/debs" && apt-get download "$1" >/dev/null 2>&1) || return 1
    dpkg -x "$scratch/debs/$1"_*.deb "$scratch/unpacked"
}

# found PROGRAM PACKAGE PATH: where the program is, installed or at that path of the unpacked package
found() {
    type -P "$1" && return
    [ -x "/$3" ] && echo "/$3" && return
    [ "${UNPACK:-}" = yes ] || return 1
    [ -x "$scratch/unpacked/$3" ] || unpack "$2" || return 1
    [ -x "$scratch/unpacked/$3" ] && echo "$scratch/unpacked/$3"
}

# built EXAMPLE [PATH]: the adapter, made if no path is given
built() {
    if [ -n "${2:-}" ]; then
        realpath "$2"
        return
    fi
    (cd "$root" && cargo build --quiet --features store --example "$1") || return 1
    echo "${CARGO_TARGET_DIR:-$root/target}/debug/examples/$1"
}

# A static busybox is the whole image: in $scratch/rootfs and $scratch/image.tar.
make_image() {
    local busybox=${BUSYBOX:-} applet
    if [ -z "$busybox" ]; then
        unpack busybox-static ||
            missing "busybox-static can't be downloaded (or give BUSYBOX=PATH of a static one)"
        busybox=$(find "$scratch/unpacked" -type f -path '*/bin/busybox')
        [ -x "$busybox" ] || missing "there is no program in the package busybox-static"
    fi
    mkdir -p "$scratch/rootfs"/{bin,etc,proc,sys,dev,tmp,www}
    cp "$busybox" "$scratch/rootfs/bin/busybox"
    for applet in $("$busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$scratch/rootfs/bin/$applet"
    done
    echo hello >"$scratch/rootfs/www/index.html"
    tar -C "$scratch/rootfs" -cf "$scratch/image.tar" .
}

# what is in a machine's own network
machine() {
    ip -o link | cut -d: -f2
    ip rule
    ip -6 rule
    nft list ruleset
    cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding
    ls /run/netns 2>/dev/null
    grep nsfs /proc/self/mountinfo
}

# ---- inside: a machine of its own -------------------------------------------------------------------

own_machine() {
    mount -t tmpfs run /run
    mount -t tmpfs state /var/lib
    mount -t sysfs sysfs /sys
    mount -t cgroup2 none /sys/fs/cgroup
    ip link set lo up
    rules=$(ip rule; ip -6 rule)
}

# not_tested PART WHY
not_tested() { printf 'NOT TESTED: %s: %s: %s\n' "$client" "$1" "$2"; }

# check WORDS COMMAND...: whether the command succeeds, and what it says if it does not
check() {
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        printf 'ok      %s\n' "$what"
    else
        printf 'FAILED  %s\n        %s\n        %s\n' "$what" "$*" "$said"
        failed=$((failed + 1))
    fi
}

is() { [ "$1" = "$2" ] || { printf 'is %q, not %q\n' "$1" "$2"; return 1; }; }
has() { case "$1" in *"$2"*) ;; *) printf '%q is not in %q\n' "$2" "$1"; return 1 ;; esac; }
not() { ! "$@"; }
host_pings() { "$scratch/rootfs/bin/busybox" ping -c1 -W2 "$1"; }
host_fetches() { is "$(curl -gs --max-time 5 "$1")" hello; }

# refused TEXT COMMAND...: whether the command fails, and says that text
refused() {
    local text=$1 said
    shift
    if said=$("$@" 2>&1); then
        printf 'it succeeded: %s\n' "$said"
        return 1
    fi
    has "$said" "$text"
}

# within TRIES COMMAND...: whether it succeeds, at the latest by that try, and what it says by the last
within() {
    local tries=$1 try said
    shift
    for try in $(seq "$tries"); do
        if said=$("$@" 2>&1); then
            echo "$said"
            return
        fi
        sleep 0.05
    done
    echo "$said"
    return 1
}

# nothing is left but what was there before any container
is_clean() {
    within 100 not pgrep -f answer-names
    is "$(pgrep -fa answer-names)" "" &&
        is "$(ip -o link | cut -d: -f2 | tr -d ' ')" lo &&
        is "$(nft list ruleset)" "" &&
        is "$(ip rule; ip -6 rule)" "$rules" &&
        is "$(ip route show table all proto 98)" "" &&
        is "$(ls /run/netns 2>/dev/null)" "" &&
        is "$(ls /run/containers/networks/bridgework/*.socket 2>/dev/null)" ""
}

# ---- podman -----------------------------------------------------------------------------------------

# podman_on BACKEND: what is in $scratch/bin has the networks, which are described in /run/nets
podman_on() {
    mkdir -p /run/nets
    cat >/run/containers.conf <<CONF
[containers]
cgroups="disabled"
default_ulimits=["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager="cgroupfs"
events_logger="none"
runtime="crun"
helper_binaries_dir=["$scratch/bin"]
[network]
network_backend="$1"
network_config_dir="/run/nets"
cni_plugin_dirs=["$scratch/bin"]
CONF
    export CONTAINERS_CONF=/run/containers.conf
    podman import "$scratch/image.tar" $image >/dev/null 2>&1 ||
        missing "podman can't import an image here"
    check "what podman calls is the adapter" \
        is "$(podman info -f '{{.Host.NetworkBackend}}')" "$1"
}

run() { timeout 60 podman run -d --name "$@" || exit 1; }
in_container() { timeout 20 podman exec "$@"; }
fetches() { is "$(in_container "$1" timeout 5 wget -q -O- "$2")" hello; }
