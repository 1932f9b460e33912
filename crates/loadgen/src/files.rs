//! Open files: every connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::error::Error;

/// For all that is no connection.
const OTHERS: u64 = 64;

/// Raises the soft limit to what so many connections need, if it is lower; the hard one is the system's to say.
pub(crate) fn allow(connections: usize) -> Result<(), Error> {
    let needed = connections as u64 + OTHERS;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|soft| soft >= needed) {
        return Ok(());
    }
    if let Some(hard) = limit.maximum.filter(|hard| *hard < needed) {
        return Err(Error::Files { needed, allowed: hard });
    }
    // All of it: servers that are started from here have the limit of this process.
    limit.current = limit.maximum.or(Some(needed));
    setrlimit(Resource::Nofile, limit).map_err(std::io::Error::from)?;
    Ok(())
}

/// The most connections that can be allowed.
pub(crate) fn most() -> usize {
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(hard.saturating_sub(OTHERS)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_does_not_allow_is_said_with_both_numbers() {
        let Some(hard) = getrlimit(Resource::Nofile).maximum else { return };
        let Ok(above) = usize::try_from(hard) else { return };
        let error = allow(above).unwrap_err();
        assert!(error.to_string().contains(&format!("needs {} open files", hard + OTHERS)), "{error}");
        assert!(error.to_string().contains("ulimit -Hn"), "{error}");
        assert!(allow(1).is_ok());
    }
}
