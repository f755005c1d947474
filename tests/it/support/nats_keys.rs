//! What nodes and NATS know each other by, made for one test: certificates, and the credentials
//! of an operator's account.

use std::path::PathBuf;

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer};
use serde_json::{Value, json};

/// A folder with keys; it is removed in the end.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let name = format!("neighborbid_{}_{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Where a file of that name is.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    /// An authority, `ca.pem`, and what it vouches for: `server.pem` for 127.0.0.1 and `node.pem`,
    /// with their keys in `server.key` and `node.key`.
    pub fn certify(&self) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "an authority");
        self.write("ca.pem", &authority.self_signed(&key).unwrap().pem());
        let authority = Issuer::new(authority, key);
        for name in ["server", "node"] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            let certificate = params.signed_by(&key, &authority).unwrap();
            self.write(&format!("{name}.pem"), &certificate.pem());
            self.write(&format!("{name}.key"), &key.serialize_pem());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What an operator's NATS is configured with, and the credentials of a user there.
pub struct Operator {
    pub config: String,
    pub credentials: String,
    /// What of the credentials is secret.
    pub seed: String,
}

impl Operator {
    pub fn new() -> Self {
        let [operator, account] = [KeyPair::new_operator(), KeyPair::new_account()];
        let user = KeyPair::new_user();
        let limits = json!({ "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1 });
        let its = json!({ "type": "operator", "version": 2 });
        let operators = jwt(&operator, &operator, its);
        let its = json!({ "type": "account", "version": 2, "limits": limits });
        let accounts = jwt(&operator, &account, its);
        let its = json!({ "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1,
            "data": -1, "payload": -1 });
        let users = jwt(&account, &user, its);
        let seed = user.seed().unwrap();
        let id = account.public_key();
        Self {
            config: format!(
                "operator: {operators}\nresolver: MEMORY\nresolver_preload: {{ {id}: {accounts} }}"
            ),
            credentials: format!(
                "-----BEGIN NATS USER JWT-----\n{users}\n------END NATS USER JWT------\n\n\
                 -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
            ),
            seed,
        }
    }
}

fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let head = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = json!({ "jti": subject.public_key(), "iat": 1_700_000_000, "name": "a test",
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": nats });
    let [head, claims] = [head, claims].map(|part| encoded(part.to_string().as_bytes()));
    let text = format!("{head}.{claims}");
    let signature = encoded(&issuer.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
