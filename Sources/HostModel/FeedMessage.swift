/// One line of `GET /agent/v1/hosts/{host}/feed?after=REVISION`: newline-delimited JSON.
///
///     (list)    put* bookmark      — when the server cannot resume from `after`, it begins with `reset`
///     (follow)  (put | drop)* bookmark …
///
/// A bookmark says that everything up to its revision has been sent: only then may the view be converted, so that a half-sent
/// transaction is never realised.
public enum FeedMessage: Hashable, Sendable, Codable {
    /// The view that the agent holds is void; a full list follows up to the next bookmark.
    case reset
    case put(HostItem)
    case drop(HostItemKey)
    case bookmark(revision: Int)
}
