//! Many files as one container: [`JoinedFiles`].

use super::{
    known::Known,
    source::{Files, Found, How, Joined, origin},
};
use crate::{
    error::{Error, Result},
    source::{Container, Group, Source},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Many files as one.
pub(super) struct JoinedFiles {
    pub files: Arc<Files>,
    /// The first that was given, which has what is not joined.
    pub first: Arc<dyn Container>,
    pub root: Group,
    /// The variables that are joined.
    pub joined: HashMap<String, How>,
    /// Variables whose values were read when files were joined.
    pub known: HashMap<String, Vec<f64>>,
    /// What was found of variables' chunks while files were open, file by file.
    pub ahead: Mutex<HashMap<String, Vec<Found>>>,
    /// The sources that were asked for.
    pub made: Mutex<HashMap<String, Arc<dyn Source>>>,
}

impl JoinedFiles {
    fn make(&self, variable: &str) -> Result<Arc<dyn Source>> {
        let Some(meta) = self.root.var(variable).filter(|m| self.is_ours(&m.path)) else {
            return self.first.source(variable);
        };
        if let Some(values) = self.known.get(&meta.path) {
            return Ok(Arc::new(Known::new(meta.clone(), origin(&self.files, &meta.path), values)?));
        }
        let how = self.joined.get(&meta.path).cloned();
        let how = how.ok_or_else(|| Error::usage(format!("'{variable}' is not joined")))?;
        let found = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).remove(&meta.path);
        Ok(Arc::new(Joined::new(self.files.clone(), meta.clone(), how, found)?))
    }

    fn is_ours(&self, path: &str) -> bool {
        self.known.contains_key(path) || self.joined.contains_key(path)
    }
}

impl Container for JoinedFiles {
    fn root(&self) -> &Group {
        &self.root
    }

    fn format(&self) -> &str {
        self.first.format()
    }

    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        let name = variable.trim_start_matches('/');
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = made().get(name) {
            return Ok(source.clone());
        }
        let source = self.make(name)?;
        made().insert(name.to_string(), source.clone());
        Ok(source)
    }

    fn texts(&self, variable: &str) -> Result<Vec<String>> {
        let Some(how) = self.joined.get(variable.trim_start_matches('/')) else { return self.first.texts(variable) };
        if how.axis != 0 {
            return Err(Error::unsupported("strings that are joined along an axis behind another"));
        }
        let mut all = Vec::new();
        for door in &self.files.doors {
            all.extend(door.container()?.texts(variable)?);
        }
        Ok(all)
    }
}
