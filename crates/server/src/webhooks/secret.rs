//! The secrets that sign what is sent (Standard Webhooks 1.0): in a file for its owner alone, never in the log, an answer, a report
//! or what the server says of itself.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use kapell_model::{Moment, Name, Span};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::WebhookError;
use crate::replace::replace;

/// The file in the data directory.
pub(super) const FILE: &str = "webhook-secrets.json";
/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// What is said where there is none.
pub(super) const MISSING: &str = "its secret is missing: `kapell webhook rotate` makes a new one";
/// Secrets of one subscription that sign at once.
pub(super) const ACTIVE_MAX: usize = 4;

/// A secret. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    fn fresh() -> Result<Self, WebhookError> {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(WebhookError::Random)?;
        Ok(Self(format!("{PREFIX}{}", BASE64_STANDARD.encode(random))))
    }

    /// Returns the signature of a message: `v1,` and the HMAC-SHA256 over `id.timestamp.body`.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let key = BASE64_STANDARD.decode(self.0.trim_start_matches(PREFIX)).unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    secret: Secret,
    /// Until when it signs; as long as it is the newest where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
}

/// The secrets of every subscription, newest last.
#[derive(Debug)]
pub(super) struct Secrets {
    path: PathBuf,
    all: BTreeMap<Name, Vec<Kept>>,
}

impl Secrets {
    /// Reads the file in `directory`; where there is none there are no secrets.
    pub(super) fn load(directory: &Path) -> Result<Self, WebhookError> {
        let path = directory.join(FILE);
        let all = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(WebhookError::File { path, source }),
        };
        Ok(Self { path, all })
    }

    /// Returns what signs at `now`, newest first.
    pub(super) fn active(&self, name: &Name, now: Moment) -> Vec<Secret> {
        let active = self.all.get(name).into_iter().flatten().filter(|kept| kept.is_active(now));
        active.rev().map(|kept| kept.secret.clone()).collect()
    }

    /// Makes a new secret; those before sign for `grace` more.
    pub(super) fn renew(&mut self, name: &Name, grace: Span, now: Moment) -> Result<String, WebhookError> {
        let secret = Secret::fresh()?;
        let mut kept = self.all.get(name).cloned().unwrap_or_default();
        for before in &mut kept {
            before.until = Some(before.until.unwrap_or(Moment::NEVER).min(now.after(grace)));
        }
        kept.retain(|before| before.is_active(now));
        if kept.len() >= ACTIVE_MAX {
            return Err(WebhookError::Secrets);
        }
        kept.push(Kept { secret: secret.clone(), until: None });
        self.write(name, Some(kept))?;
        Ok(secret.0)
    }

    pub(super) fn remove(&mut self, name: &Name) -> Result<(), WebhookError> {
        self.write(name, None)
    }

    /// Puts other secrets of a subscription into the file, whole or not at all.
    fn write(&mut self, name: &Name, kept: Option<Vec<Kept>>) -> Result<(), WebhookError> {
        let mut all = self.all.clone();
        match kept {
            Some(kept) => all.insert(name.clone(), kept),
            None => all.remove(name),
        };
        let bytes = serde_json::to_vec(&all)?;
        let failed = |source| WebhookError::File { path: self.path.clone(), source };
        replace(&self.path, &bytes).map_err(failed)?;
        self.all = all;
        Ok(())
    }
}

impl Kept {
    fn is_active(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Returns a random number.
pub(super) fn chance() -> Result<u64, WebhookError> {
    getrandom::u64().map_err(WebhookError::Random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_has_the_published_signature() {
        let secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn secrets_overlap_for_a_while_and_are_bounded() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let name = Name::new("pager").expect("a name");
        let mut secrets = Secrets::load(directory.path()).expect("none yet");
        let first = secrets.renew(&name, Span(0), Moment(0)).expect("one");
        let second = secrets.renew(&name, Span(1_000), Moment(10)).expect("another");
        let active = |secrets: &Secrets, now| {
            secrets.active(&name, Moment(now)).into_iter().map(|it| it.0).collect::<Vec<_>>()
        };
        assert_eq!(active(&secrets, 20), [second.clone(), first]);
        assert_eq!(active(&secrets, 1_010), std::slice::from_ref(&second));
        // What is kept is what is there after a start.
        let mut secrets = Secrets::load(directory.path()).expect("it is read");
        assert_eq!(active(&secrets, 1_010), [second]);
        for at in 20..22 {
            secrets.renew(&name, Span(60_000), Moment(at)).expect("there is room");
        }
        assert!(matches!(secrets.renew(&name, Span(60_000), Moment(22)), Err(WebhookError::Secrets)));
        assert!(secrets.renew(&name, Span(0), Moment(22)).is_ok(), "without a grace the others end");
        secrets.remove(&name).expect("it goes");
        assert!(active(&Secrets::load(directory.path()).expect("it is read"), 22).is_empty());
    }
}
