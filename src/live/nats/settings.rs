//! Where NATS is and how a node signs in there: checked at start, so that what contradicts itself
//! is one clear line. What is secret stays out of the addresses, which the client logs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use async_nats::{
    ConnectOptions, ServerAddr,
    rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use nkeys::KeyPair;
use percent_encoding::percent_decode_str;

use super::secret::Secret;

/// The least that a secret of the nodes may be, in bytes.
const LEAST_SECRET: usize = 16;

/// Everything that a node may be told about NATS, as it was told.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Addresses, comma-separated; with or without a name and password, or a token.
    pub urls: Option<Secret>,
    /// A name.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// A token.
    pub token: Option<Secret>,
    /// A file with a user's JWT and its seed.
    pub credentials: Option<PathBuf>,
    /// An NKey's seed, or a file that holds one.
    pub nkey: Option<Secret>,
    /// A file with the authorities that the servers' certificates are checked by.
    pub ca: Option<PathBuf>,
    /// A file with this node's own certificate.
    pub certificate: Option<PathBuf>,
    /// A file with the key of this certificate.
    pub key: Option<PathBuf>,
    /// The secret of the nodes.
    pub secret: Option<Secret>,
}

/// What is wrong with what was given. No text of it holds what may be secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// An address is malformed.
    #[error(
        "a NATS address must look like nats://HOST:PORT or tls://HOST:PORT, with USER:PASSWORD@ \
         or TOKEN@ before the host if need be, in which other signs than letters and digits are \
         percent-encoded"
    )]
    Address,
    /// Some addresses say how to sign in and others say something else or nothing.
    #[error("all NATS addresses must carry the same name and password or token, or none")]
    Addresses,
    /// Several ways to sign in.
    #[error("NATS is signed in to in one way: {0} and {1} are given")]
    SeveralWays(&'static str, &'static str),
    /// One of two that belong together.
    #[error("{0} needs {1}")]
    Needs(&'static str, &'static str),
    /// A file cannot be read.
    #[error("{0}: {path}: {1}", path = .2.display())]
    File(&'static str, io::Error, PathBuf),
    /// A file holds something else.
    #[error("{0}: {path} holds no {1}", path = .2.display())]
    Holds(&'static str, &'static str, PathBuf),
    /// No key.
    #[error("--nats-nkey is neither a user's seed (SU…) nor a file that holds one")]
    NKey,
    /// Everybody could guess it.
    #[error("--nats-secret must have {LEAST_SECRET} bytes or more")]
    ShortSecret,
    /// It cannot be put to use.
    #[error("the NATS client refuses these settings")]
    Client,
}

/// How to sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum SignIn {
    /// Not at all.
    #[default]
    None,
    Password(String, Secret),
    Token(Secret),
    NKey(Secret),
    /// The text of a credentials file.
    Credentials(Secret),
}

/// Where NATS is and how to sign in, without contradictions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The secret of the nodes, if it is not the database's.
    pub secret: Option<Secret>,
    pub(super) servers: Vec<ServerAddr>,
    sign_in: SignIn,
    ca: Option<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
}

impl Given {
    /// Checks what was given; `None` when there is to be no bus.
    ///
    /// # Errors
    /// When it contradicts itself, or a file is not what it should be.
    pub fn checked(&self) -> Result<Option<Settings>, SettingsError> {
        let Some(urls) = &self.urls else {
            let needless = self.named().into_iter().find(|(_, is_given)| *is_given);
            return match needless {
                Some((flag, _)) => Err(SettingsError::Needs(flag, "--nats-url")),
                None => Ok(None),
            };
        };
        let (servers, in_urls) = addresses(urls.expose())?;
        let certificate = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(needs("--nats-certificate", "--nats-key")),
            (None, Some(_)) => return Err(needs("--nats-key", "--nats-certificate")),
        };
        if let Some(ca) = &self.ca {
            has_certificates("--nats-ca", ca)?;
        }
        if let Some((certificate, key)) = &certificate {
            has_certificates("--nats-certificate", certificate)?;
            let text = read("--nats-key", key)?;
            let holds = PrivateKeyDer::from_pem_slice(text.as_bytes());
            holds.map_err(|_| SettingsError::Holds("--nats-key", "private key", key.clone()))?;
        }
        let secret = self.secret.clone();
        if secret.as_ref().is_some_and(|secret| secret.expose().len() < LEAST_SECRET) {
            return Err(SettingsError::ShortSecret);
        }
        let (sign_in, ca) = (self.sign_in(in_urls)?, self.ca.clone());
        Ok(Some(Settings { secret, servers, sign_in, ca, certificate }))
    }

    fn named(&self) -> [(&'static str, bool); 9] {
        [
            ("--nats-user", self.user.is_some()),
            ("--nats-password", self.password.is_some()),
            ("--nats-token", self.token.is_some()),
            ("--nats-credentials", self.credentials.is_some()),
            ("--nats-nkey", self.nkey.is_some()),
            ("--nats-ca", self.ca.is_some()),
            ("--nats-certificate", self.certificate.is_some()),
            ("--nats-key", self.key.is_some()),
            ("--nats-secret", self.secret.is_some()),
        ]
    }

    fn sign_in(&self, in_urls: SignIn) -> Result<SignIn, SettingsError> {
        let mut ways = Vec::new();
        if in_urls != SignIn::None {
            ways.push(("--nats-url's own", in_urls));
        }
        match (&self.user, &self.password) {
            (Some(user), Some(password)) => {
                ways.push(("--nats-user", SignIn::Password(user.clone(), password.clone())));
            }
            (None, None) => {}
            (Some(_), None) => return Err(needs("--nats-user", "--nats-password")),
            (None, Some(_)) => return Err(needs("--nats-password", "--nats-user")),
        }
        if let Some(token) = &self.token {
            ways.push(("--nats-token", SignIn::Token(token.clone())));
        }
        if let Some(file) = &self.credentials {
            let text = read("--nats-credentials", file)?;
            if ConnectOptions::with_credentials(&text).is_err() {
                let what = "user's JWT with its seed";
                return Err(SettingsError::Holds("--nats-credentials", what, file.clone()));
            }
            ways.push(("--nats-credentials", SignIn::Credentials(text.into())));
        }
        if let Some(nkey) = &self.nkey {
            ways.push(("--nats-nkey", SignIn::NKey(seed(nkey.expose())?)));
        }
        match (ways.get(1), ways.first()) {
            (Some((second, _)), Some((first, _))) => Err(SettingsError::SeveralWays(first, second)),
            _ => Ok(ways.pop().map_or(SignIn::None, |(_, way)| way)),
        }
    }
}

impl Settings {
    /// What the client is told. An address alone may ask for TLS, and then all must have it: those
    /// too that a server tells of.
    pub(super) fn options(&self) -> Result<ConnectOptions, SettingsError> {
        let mut options = ConnectOptions::new();
        options = match self.sign_in.clone() {
            SignIn::None => options,
            SignIn::Password(user, password) => {
                options.user_and_password(user, password.expose().to_owned())
            }
            SignIn::Token(token) => options.token(token.expose().to_owned()),
            SignIn::NKey(seed) => options.nkey(seed.expose().to_owned()),
            SignIn::Credentials(text) => {
                options.credentials(text.expose()).map_err(|_| SettingsError::Client)?
            }
        };
        let is_asked = self.servers.iter().any(ServerAddr::tls_required);
        let is_tls = is_asked || self.ca.is_some() || self.certificate.is_some();
        options = options.require_tls(is_tls);
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options)
    }
}

fn needs(one: &'static str, other: &'static str) -> SettingsError {
    SettingsError::Needs(one, other)
}

fn read(flag: &'static str, path: &Path) -> Result<String, SettingsError> {
    fs::read_to_string(path).map_err(|error| SettingsError::File(flag, error, path.to_owned()))
}

fn has_certificates(flag: &'static str, path: &Path) -> Result<(), SettingsError> {
    let text = read(flag, path)?;
    let holds = CertificateDer::from_pem_slice(text.as_bytes());
    holds.map(drop).map_err(|_| SettingsError::Holds(flag, "certificate", path.to_owned()))
}

/// A seed, or the one in a file. What is neither may be a mistyped seed: it is not shown.
fn seed(given: &str) -> Result<Secret, SettingsError> {
    let is_users = |seed: &str| seed.starts_with("SU") && KeyPair::from_seed(seed).is_ok();
    if is_users(given) {
        return Ok(given.to_owned().into());
    }
    let text = fs::read_to_string(given).map_err(|_| SettingsError::NKey)?;
    let seed = text.lines().map(str::trim).find(|line| is_users(line));
    seed.map(|seed| seed.to_owned().into()).ok_or(SettingsError::NKey)
}

/// The addresses, bare, and what they say about signing in.
fn addresses(urls: &str) -> Result<(Vec<ServerAddr>, SignIn), SettingsError> {
    let read = urls.split(',').map(|url| address(url.trim()).ok_or(SettingsError::Address));
    let (servers, ways): (Vec<_>, Vec<_>) =
        read.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    if ways.windows(2).any(|ways| ways[0] != ways[1]) {
        return Err(SettingsError::Addresses);
    }
    Ok((servers, ways.into_iter().next().unwrap_or_default()))
}

/// One address. A path or a query is refused, too: it is what follows a sign of a password that
/// was not encoded, and the rest of the password is where the host should be.
fn address(url: &str) -> Option<(ServerAddr, SignIn)> {
    let mut url = url.parse::<ServerAddr>().ok()?.into_inner();
    let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    let user = decoded(url.username())?;
    let sign_in = match url.password().map(decoded) {
        Some(password) if !user.is_empty() => SignIn::Password(user, password?.into()),
        Some(_) => return None,
        None if user.is_empty() => SignIn::None,
        None => SignIn::Token(user.into()),
    };
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
    let is_whole =
        is_bare && url.fragment().is_none() && url.host_str().is_some_and(|h| !h.is_empty());
    if !is_whole || !matches!(url.scheme(), "nats" | "tls") {
        return None;
    }
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((ServerAddr::from_url(url).ok()?, sign_in))
}

#[cfg(test)]
mod tests;
