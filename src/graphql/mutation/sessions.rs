//! Signing up, in and out.

use std::{fmt::Display, sync::Arc};

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entity::ids::UserId;

use super::answer;
use crate::{
    domain::refusal::{Code, Refusal},
    engine::{self, Credentials, SignIn, SignUp, Token},
    graphql::{
        context::{ClientAddress, ContextExt},
        types::{user::User, user_error::UserError},
    },
    telemetry::security::{self, About, Event},
};

#[derive(Debug, Default)]
pub struct Sessions;

/// What a new user gives.
#[derive(InputObject)]
pub struct SignUpInput {
    /// 2 to 24 letters or digits of any script, underscores, hyphens or dots. It is shown as it is
    /// written here; nobody may have one that differs in case or width alone, or reads like it.
    username: String,
    /// 8 to 128 characters, not among those that are guessed first, and not made of the username.
    password: String,
    /// Where the user lives, of any depth: regional auctions ask for it.
    home_region: Option<ID>,
}

/// A name and a password.
#[derive(InputObject)]
pub struct SignInInput {
    /// The name, whatever its case and width.
    username: String,
    /// The password.
    password: String,
}

/// A new session, or why there is none.
#[derive(Debug, SimpleObject)]
pub struct SessionPayload {
    /// The session; null when refused.
    session: Option<Session>,
    /// Who is signed in now; null when refused.
    user: Option<User>,
    /// Why it was refused; empty when it was not.
    user_errors: Vec<UserError>,
}

/// A signed-in session.
#[derive(Debug, SimpleObject)]
pub struct Session {
    /// Send it as `Authorization: Bearer TOKEN`, or as `{"authorization": "Bearer TOKEN"}` in
    /// `connection_init`. It is shown only here.
    token: String,
    /// From then on the token is dead.
    expires_at: DateTime<Utc>,
}

/// The answer to signing out.
#[derive(Debug, SimpleObject)]
pub struct SignOutPayload {
    /// Whether somebody was signed in: the token is dead now.
    signed_out: bool,
}

fn payload(
    ctx: &Context<'_>,
    done: Result<(Token, engine::Session), engine::Error>,
) -> Result<SessionPayload> {
    Ok(match answer(ctx, done)? {
        Ok((token, session)) => SessionPayload {
            session: Some(Session {
                token: token.reveal().to_owned(),
                expires_at: session.expires_at,
            }),
            user: Some(User(Arc::new(session.user))),
            user_errors: Vec::new(),
        },
        Err(user_errors) => SessionPayload { session: None, user: None, user_errors },
    })
}

fn told(event: Event, account: &UserId, address: Option<ClientAddress>) {
    let address = address.map(|address| address.0);
    security::record(event, &About { account: Some(account), address, subject: None });
}

#[Object]
impl Sessions {
    /// Makes an account with an empty wallet, and signs it in. Counts against the rate limit for
    /// sign-ins.
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: SignUpInput,
    ) -> Result<SessionPayload> {
        let address = ctx.address();
        ctx.rates()?.sign_up(address)?;
        let Ok(home_region) = input.home_region.map(|id| id.parse()).transpose() else {
            let refusal = Refusal::new(Code::RegionNotFound, "There is no such region.");
            return payload(ctx, Err(refusal.at(&["homeRegion"]).into()));
        };
        let credentials = Credentials { username: input.username, password: input.password };
        let done = ctx.engine()?.sign_up(SignUp { credentials, home_region }).await;
        if let Ok((_, session)) = &done {
            told(Event::SignUp, &session.user.id, address);
        }
        payload(ctx, done)
    }

    /// Signs in. RATE_LIMITED for a network that tries too often, and for one that has tried wrong
    /// passwords on this account: the wait doubles with each.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: SignInInput,
    ) -> Result<SessionPayload> {
        let address = ctx.address();
        let attempt = ctx.rates()?.sign_in(&input.username, address)?;
        let credentials = Credentials { username: input.username, password: input.password };
        let done = match ctx.engine()?.sign_in(credentials).await {
            Ok(SignIn::Done(token, session)) => {
                told(Event::SignIn, &session.user.id, address);
                if let Some(attempt) = attempt {
                    attempt.succeeded();
                }
                Ok((token, session))
            }
            Ok(SignIn::Wrong { account, refusal }) => {
                let account = account.as_ref().map(|account| account as &dyn Display);
                let address = address.map(|address| address.0);
                security::record(Event::SignInFailed, &About { account, address, subject: None });
                Err(refusal.into())
            }
            Err(error) => {
                if let Some(attempt) = attempt {
                    attempt.withdraw();
                }
                Err(error)
            }
        };
        payload(ctx, done)
    }

    /// Signs out: the token that asked is dead at once, on every connection.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        let Some(session) = ctx.session() else {
            return Ok(SignOutPayload { signed_out: false });
        };
        ctx.engine()?.sign_out(session.id).await.map_err(|error| ctx.fault(error))?;
        told(Event::SignOut, &session.user.id, ctx.address());
        Ok(SignOutPayload { signed_out: true })
    }
}
