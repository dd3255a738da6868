import AccessPolicy
import Identity

/// Tokens that were found valid, with who calls by them. Confined to a lock.
///
/// An entry is good while the store's identity revision is the one that it was made under and has been asked for within the current second:
/// a change by this server ends it at once, one by another server or by the command line within ``IdentityService/revocationDelaySeconds``.
struct TokenCache {
    /// Tokens that are remembered; when there are more, all are looked up again.
    static let maximumEntries = 16_384

    struct Entry {
        var caller: Caller
        var expiresAt: Int
        var revision: Int
    }

    private var entries: [String: Entry] = [:]
    /// The newest revision that this server knows of.
    private(set) var revision = -1
    /// The second in which the store was asked for it.
    private var checkedAt = Int.min

    /// Whether the revision must be asked for. Not on a clock that was set back either.
    func needsCheck(now: Int) -> Bool { checkedAt != now }

    mutating func noteRevision(_ number: Int, askedAt now: Int? = nil) {
        if let now { checkedAt = now }
        guard number > revision else { return }
        revision = number
    }

    func caller(of text: String, now: Int) -> Caller? {
        guard let entry = entries[text], entry.revision == revision, now < entry.expiresAt else { return nil }
        return entry.caller
    }

    mutating func insert(_ text: String, _ entry: Entry) {
        guard entry.revision == revision else { return }
        if entries.count >= Self.maximumEntries { entries.removeAll(keepingCapacity: true) }
        entries[text] = entry
    }
}
