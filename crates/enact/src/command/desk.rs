//! Where a command works: the configuration, the way to the hub, the output.

use std::path::{Path, PathBuf};

use enact_runtime::api::{Caller, Reach, Request, Response, Role};

use super::reload::Again;
use crate::config::{Settings, Sheet};
use crate::door::remote::Remote;
use crate::door::{Door, Need};
use crate::failure::Failure;
use crate::logging::Level;
use crate::output::Output;
use crate::show;

/// Where a command works.
pub struct Desk {
    /// The settled configuration.
    pub sheet: Sheet,
    /// Where it writes.
    pub out: Output,
    /// Where the configuration came from, and how much is logged, for whoever reads it again.
    pub again: Option<(Again, Level)>,
    door: Option<Door>,
}

impl Desk {
    /// Sets a desk up; nothing is opened yet.
    pub fn new(sheet: Sheet, out: Output) -> Self {
        Self { sheet, out, again: None, door: None }
    }

    /// Goes to the hub on another machine from now on.
    ///
    /// # Errors
    /// As [`Remote::new`].
    pub fn ask_remote(&mut self) -> Result<(), Failure> {
        self.door = Some(Door::Remote(Remote::new(&self.sheet.settings)?));
        Ok(())
    }

    /// Returns the settled values.
    pub fn settings(&self) -> &Settings {
        &self.sheet.settings
    }

    /// Returns who asks: whoever holds the store reaches the whole hub, on whose behalf it may be.
    pub fn caller(&self) -> Caller {
        Caller {
            tenant: self.sheet.settings.tenant.clone(),
            actor: self.sheet.settings.actor.0.clone(),
            role: Role::Admin,
            reach: Reach::Hub,
        }
    }

    /// Finds the way to the hub, once.
    ///
    /// # Errors
    /// As [`Door::open`].
    pub async fn door(&mut self, need: Need) -> Result<&Door, Failure> {
        let door = match self.door.take() {
            Some(door) => door,
            None => Door::open(&self.sheet.settings, need).await?,
        };
        Ok(self.door.insert(door))
    }

    /// Asks one question; a refusal is an answer.
    ///
    /// # Errors
    /// As [`Door::open`] and [`Door::ask`].
    pub async fn ask(&mut self, need: Need, request: Request) -> Result<Response, Failure> {
        let caller = self.caller();
        self.door(need).await?.ask(&caller, request).await
    }

    /// Asks one question and shows the answer.
    ///
    /// # Errors
    /// As [`Desk::ask`] and [`show::show`].
    pub async fn ask_and_show(&mut self, need: Need, request: Request) -> Result<(), Failure> {
        let response = self.ask(need, request).await?;
        show::show(response, &mut self.out)
    }

    /// Returns the way to the hub and the output, apart.
    ///
    /// # Errors
    /// [`Failure::Unexpected`] if no way was found before.
    pub fn parts(&mut self) -> Result<(&Door, &mut Output), Failure> {
        let Self { door, out, .. } = self;
        Ok((door.as_ref().ok_or(Failure::Unexpected)?, out))
    }

    /// Returns whether the hub is in this process.
    pub fn is_local(&self) -> bool {
        self.door.as_ref().is_some_and(Door::is_local)
    }

    /// Returns whether the hub is on another machine.
    pub fn is_remote(&self) -> bool {
        matches!(self.door, Some(Door::Remote(_)))
    }

    /// Leaves the hub.
    pub async fn close(&mut self) {
        if let Some(door) = self.door.take() {
            door.close().await;
        }
    }
}

/// Returns a path as the hub can use it: absolute, without touching links.
///
/// # Errors
/// A path that is empty or no text.
pub fn absolute(path: &Path) -> Result<String, Failure> {
    as_text(std::path::absolute(path).map_err(Failure::file(path))?)
}

/// Returns a path as it was given.
///
/// # Errors
/// A path that is no text.
pub fn as_text(path: PathBuf) -> Result<String, Failure> {
    path.into_os_string().into_string().map_err(|path| Failure::PathNotText(path.into()))
}
