//! Signing in and out.
//!
//! The token comes in a form's body, never in an address: addresses end up in logs and histories.

use super::{ROOT, html, page, session};
use crate::api::Api;
use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Shown {
    token: String,
}

/// Begins a session for who shows the token.
pub(super) async fn sign_in(State(api): State<Api>, form: Result<Form<Shown>, FormRejection>) -> Response {
    let refused = |why: &str| html(StatusCode::UNAUTHORIZED, page::sign_in(Some(why)));
    let Some(token) = api.token.borrow().clone() else { return Redirect::to(ROOT).into_response() };
    let Ok(Form(Shown { token: shown })) = form else { return refused("The form came without a token.") };
    if !token.matches(shown.trim()) {
        return refused("That is not the token of this node; it is `api_auth_token` in its dnsplane.json.");
    }
    match api.sessions.begin(&token) {
        Some(cookie) => redirect_with(&cookie),
        None => refused("Nobody can sign in: this system gave no randomness when the control plane started."),
    }
}

/// Ends the browser's session.
pub(super) async fn sign_out() -> Response {
    redirect_with(&session::end())
}

fn redirect_with(cookie: &str) -> Response {
    let mut response = Redirect::to(ROOT).into_response();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
