//! How nodes hear of each other.

use std::path::PathBuf;

use clap::Args;

use crate::live::nats::{Given, Secret, Settings, SettingsError};

/// How nodes hear of each other.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Several nodes")]
pub struct BusConfig {
    /// The bus between nodes: nats://HOST:PORT or tls://HOST:PORT, several comma-separated; with
    /// USER:PASSWORD@ or TOKEN@ before the host if need be
    #[arg(long, env = "NATS_URL", hide_env_values = true)]
    pub nats_url: Option<Secret>,

    /// Who signs in to NATS by password
    #[arg(long, env = "NATS_USER")]
    pub nats_user: Option<String>,

    /// The password
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true)]
    pub nats_password: Option<Secret>,

    /// The token to sign in to NATS with
    #[arg(long, env = "NATS_TOKEN", hide_env_values = true)]
    pub nats_token: Option<Secret>,

    /// The credentials file (.creds) to sign in to NATS with
    #[arg(long, env = "NATS_CREDS", value_name = "FILE")]
    pub nats_credentials: Option<PathBuf>,

    /// The NKey to sign in to NATS with: a user's seed, or a file that holds one
    #[arg(long, env = "NATS_NKEY", value_name = "SEED|FILE", hide_env_values = true)]
    pub nats_nkey: Option<Secret>,

    /// The authorities that vouch for the NATS servers, in PEM; by default the system's
    #[arg(long, env = "NATS_CA", value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,

    /// This node's certificate for NATS, in PEM
    #[arg(long, env = "NATS_CERT", value_name = "FILE")]
    pub nats_certificate: Option<PathBuf>,

    /// The key of this certificate, in PEM
    #[arg(long, env = "NATS_KEY", value_name = "FILE")]
    pub nats_key: Option<PathBuf>,

    /// What this marketplace's subjects on the bus begin with
    #[arg(long, env = "NEIGHBORBID_NATS_PREFIX", default_value = "neighborbid",
        value_parser = subject_token)]
    pub nats_prefix: String,

    /// The secret by which nodes know each other's messages; by default one that is kept in the
    /// database
    #[arg(long, env = "NEIGHBORBID_NATS_SECRET", hide_env_values = true)]
    pub nats_secret: Option<Secret>,
}

impl BusConfig {
    /// For a single node.
    #[must_use]
    pub fn none() -> Self {
        Self {
            nats_url: None,
            nats_user: None,
            nats_password: None,
            nats_token: None,
            nats_credentials: None,
            nats_nkey: None,
            nats_ca: None,
            nats_certificate: None,
            nats_key: None,
            nats_prefix: "neighborbid".to_owned(),
            nats_secret: None,
        }
    }

    /// As the bus wants it; `None` for a single node.
    ///
    /// # Errors
    /// When it contradicts itself, or a file is not what it should be.
    pub fn settings(&self) -> Result<Option<Settings>, SettingsError> {
        let given = Given {
            urls: self.nats_url.clone(),
            user: self.nats_user.clone(),
            password: self.nats_password.clone(),
            token: self.nats_token.clone(),
            credentials: self.nats_credentials.clone(),
            nkey: self.nats_nkey.clone(),
            ca: self.nats_ca.clone(),
            certificate: self.nats_certificate.clone(),
            key: self.nats_key.clone(),
            secret: self.nats_secret.clone(),
        };
        given.checked()
    }
}

fn subject_token(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fits.then(|| text.to_owned()).ok_or_else(|| "letters, digits and hyphens".to_owned())
}
