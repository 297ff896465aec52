//! Work that takes long and would keep the runtime's threads from everything else.

/// Does it on another thread. A panic there goes on here.
pub(crate) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and whoever waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}
