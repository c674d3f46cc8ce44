//! Folders of servers: short enough for Unix sockets, owned by the user that the server runs as.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use nix::unistd::{User, geteuid};

/// Who a server runs as: this process's user, or another one when that is root, which PostgreSQL refuses to be.
#[derive(Clone, Debug)]
pub(crate) enum ServerUser {
    Same,
    Other(User),
    /// Under a folder that only root may enter, such as those of `mktemp -d`.
    OtherBehindClosedFolders(User),
}

impl ServerUser {
    pub fn for_folder(folder: &Path) -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Same);
        }
        let Some(user) = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten()) else {
            bail!("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as");
        };
        let may_enter = |folder: &Path| {
            std::fs::metadata(folder).is_ok_and(|m| m.mode() & 0o001 != 0 || m.uid() == user.uid.as_raw())
        };
        Ok(if folder.ancestors().all(may_enter) { Self::Other(user) } else { Self::OtherBehindClosedFolders(user) })
    }

    /// A command that runs as this user, in a folder that everybody may enter.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Same => Command::new(program),
            Self::Other(user) => {
                let mut command = Command::new(program);
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
                command
            }
            // The one privilege that it needs to reach its own folder, nothing else of root's.
            Self::OtherBehindClosedFolders(user) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).arg("--clear-groups");
                command.args(["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--"]).arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }

    fn user(&self) -> Option<&User> {
        match self {
            Self::Same => None,
            Self::Other(user) | Self::OtherBehindClosedFolders(user) => Some(user),
        }
    }
}

/// Makes a folder for a server alone.
pub(crate) fn make_private(folder: &Path, user: &ServerUser) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    if let Some(user) = user.user() {
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// The kernel's `sockaddr_un` holds 108 bytes with the closing zero.
const SOCKET_PATH_BYTES: usize = 107;

/// Refuses a socket path that is too long, before anything is made under it.
pub(crate) fn fits_socket(socket: &Path) -> anyhow::Result<()> {
    let bytes = OsString::from(socket).len();
    if bytes > SOCKET_PATH_BYTES {
        bail!(
            "{} is {bytes} bytes long, and a Unix socket's path has at most {SOCKET_PATH_BYTES}: \
             take a data folder with a shorter path",
            socket.display()
        );
    }
    Ok(())
}

/// A new folder for a throw-away server.
pub(crate) fn scratch(kind: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("skep-{kind}-{:08x}", rand::random::<u32>()));
    std::fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}
