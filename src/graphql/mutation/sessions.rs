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

/// The new account.
#[derive(InputObject)]
pub struct SignUpInput {
    /// 2 to 24 letters or digits of any script, underscores, hyphens or dots. It is shown as
    /// written; it must differ from every other username in more than case and width, and must not
    /// look like one.
    username: String,
    /// 8 to 128 characters. Common passwords and passwords made of the username are refused.
    password: String,
    /// The region where the user lives, of any depth. Regional auctions require it.
    home_region: Option<ID>,
}

/// The credentials of an account.
#[derive(InputObject)]
pub struct SignInInput {
    /// The username, compared without regard to case and width.
    username: String,
    /// The password.
    password: String,
}

/// The result of signing up or in.
#[derive(Debug, SimpleObject)]
pub struct SessionPayload {
    /// The new session. Null if it was refused.
    session: Option<Session>,
    /// The user who is signed in. Null if it was refused.
    user: Option<User>,
    /// The reasons for a refusal; empty on success.
    user_errors: Vec<UserError>,
}

/// A signed-in session.
#[derive(Debug, SimpleObject)]
pub struct Session {
    /// The secret token of the session. Send it as the HTTP header `Authorization: Bearer TOKEN`,
    /// or as `{"authorization": "Bearer TOKEN"}` in the payload of `connection_init`. It is shown
    /// only here.
    token: String,
    /// The time at which the token expires.
    expires_at: DateTime<Utc>,
}

/// The result of `signOut`.
#[derive(Debug, SimpleObject)]
pub struct SignOutPayload {
    /// Whether a session was ended. False if nobody was signed in.
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
    /// Creates an account with an empty wallet and signs it in. Counts against the rate limit of
    /// sign-ins.
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: SignUpInput,
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

    /// Signs in. Fails with RATE_LIMITED if a network tries too often, or after wrong passwords for
    /// this account from the same network: the delay doubles with each.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username and the password.")] input: SignInInput,
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

    /// Ends the session whose token the request carries, at once and on every connection.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        let Some(session) = ctx.session() else {
            return Ok(SignOutPayload { signed_out: false });
        };
        ctx.engine()?.sign_out(session.id).await.map_err(|error| ctx.fault(error))?;
        told(Event::SignOut, &session.user.id, ctx.address());
        Ok(SignOutPayload { signed_out: true })
    }
}
