//! When a server stops.

use tokio::sync::oneshot;

/// A reason to stop that can be waited for.
#[derive(Debug)]
pub struct Shutdown {
    manual: Option<oneshot::Receiver<()>>,
}

impl Shutdown {
    /// Stops on SIGINT or SIGTERM.
    pub fn on_signal() -> Self {
        Self { manual: None }
    }

    /// Stops on a signal or when the sender is used; a sender that is dropped stops nothing.
    pub fn manual_or_signal() -> (oneshot::Sender<()>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self { manual: Some(receiver) })
    }

    /// Waits for the reason.
    pub async fn wait(self) {
        let manual = async {
            if let Some(receiver) = self.manual
                && receiver.await.is_ok()
            {
                return;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = manual => {}
            () = signal() => {}
        }
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
