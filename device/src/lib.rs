//! keyfob-device
