# What the other scripts need on a fresh Debian or Ubuntu with a Rust toolchain. Sourced, not run.

say() { printf '%s\n' "$*" >&2; }

have_postgres() { command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
have_redis() { command -v redis-server >/dev/null 2>&1; }
have_curl() { command -v curl >/dev/null 2>&1; }
# A Python that makes environments of its own.
have_python() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }
have_chromium() { command -v "${CHROMIUM:-chromium}" >/dev/null 2>&1; }
# The web app is built with Node.js 20.19 or newer.
have_node() {
    command -v npm >/dev/null 2>&1 && node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}
have_nextest() { cargo nextest --version >/dev/null 2>&1; }

# Installs Debian packages when that is permitted; says what to do when not.
install_packages() {
    local as=""
    if [ "$(id -u)" != 0 ]; then
        if sudo -n true 2>/dev/null; then as="sudo -n"; else
            say "Skep needs these packages: $*"
            say "Install them with:  sudo apt-get install $*   and run this again."
            exit 69
        fi
    fi
    if ! command -v apt-get >/dev/null 2>&1; then
        say "Skep needs PostgreSQL (15 or newer) and Redis (7 or newer): install them with this system's package manager."
        exit 69
    fi
    say "Installing $* ..."
    # Only the programs are wanted: Debian must not start servers of its own.
    printf '#!/bin/sh\nexit 101\n' | $as tee /usr/sbin/policy-rc.d.skep >/dev/null
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        $as mv /usr/sbin/policy-rc.d.skep /usr/sbin/policy-rc.d
        $as chmod +x /usr/sbin/policy-rc.d
        local remove_policy=1
    else
        $as rm -f /usr/sbin/policy-rc.d.skep
    fi
    local status=0
    { $as apt-get update -qq && $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2 || status=$?
    [ -z "${remove_policy:-}" ] || $as rm -f /usr/sbin/policy-rc.d
    if [ "$status" != 0 ]; then
        say "Could not install $*. Install them by hand and run this again."
        exit 69
    fi
}

# need postgres redis curl python chromium nextest: makes sure that each is there.
need() {
    local packages=()
    for what in "$@"; do
        case "$what" in
            postgres) have_postgres || packages+=(postgresql) ;;
            redis) have_redis || packages+=(redis-server) ;;
            curl) have_curl || packages+=(curl) ;;
            python) have_python || packages+=(python3-venv) ;;
            chromium) have_chromium || packages+=(chromium) ;;
        esac
    done
    [ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
    case " $* " in
        *" nextest "*) have_nextest || { say "Installing cargo-nextest (once, some minutes) ..."; cargo install cargo-nextest --locked; } ;;
    esac
}

# The packages that the web app's sources name, as its lock file has them.
web_packages() {
    local web="$1"
    if [ ! -e "$web/node_modules/.package-lock.json" ] || [ "$web/package-lock.json" -nt "$web/node_modules/.package-lock.json" ]; then
        (cd "$web" && npm ci --no-audit --no-fund) >&2
        touch "$web/node_modules/.package-lock.json"
    fi
}

# build_web ROOT: the web app, when its sources are newer than what was built from them. Without Node.js the router is
# built all the same, and its page says what is missing.
build_web() {
    local web="$1/router/web"
    if [ -e "$web/dist/index.html" ] && [ -z "$(find "$web" \( -name node_modules -o -name dist -o -name e2e -o -name test \) -prune -o -type f -newer "$web/dist/index.html" -print -quit)" ]; then
        return 0
    fi
    if ! have_node; then
        say "The web app is left out: it needs Node.js 20.19 or newer with npm. Install it and run this again."
        return 0
    fi
    say "Building the web app ..."
    web_packages "$web"
    (cd "$web" && npm run --silent build) >&2
}
