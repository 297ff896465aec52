//! Asks the person at the terminal before something is done.

use crate::client::Failure;
use inquire::{Confirm, InquireError};
use std::io::{self, IsTerminal};

/// Whether there is somebody to ask.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks; anything but a yes is a no. Connections are kept alive meanwhile.
pub(crate) async fn ask(question: String) -> Result<bool, Failure> {
    let answer = tokio::task::spawn_blocking(move || Confirm::new(&question).with_default(false).prompt()).await;
    match answer.map_err(io::Error::other)? {
        Ok(answer) => Ok(answer),
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => Ok(false),
        Err(InquireError::IO(error)) => Err(error.into()),
        Err(error) => Err(io::Error::other(error).into()),
    }
}
