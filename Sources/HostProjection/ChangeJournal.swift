import HostModel

/// The recent past: which items of which hosts each revision concerned, so that an agent whose connection broke gets only those.
///
///     forgotten          │ remembered                     │ not yet
///     …  floor - 1 ──────┼─ floor ─────────────── latest ─┼──────────▶ revision
///
/// An agent that holds a revision within floor…latest resumes; any other lists again. A journal is born empty with its server process:
/// what an earlier process sent may have been made by other code or with other ``ProjectionSettings``, so agents list once after a
/// server's restart. Their lists are equal to what they hold, and touch no packet.
public struct ChangeJournal: Sendable {
    /// Keys that a journal remembers unless told otherwise, over all hosts: about 10 MB.
    public static let defaultKeyLimit = 100_000
    /// Revisions that a journal remembers, also when they concern nobody.
    public static let revisionLimit = 100_000

    private struct Entry: Sendable {
        var revision: Int
        var keys: [String: Set<HostItemKey>]
        var keyCount: Int
    }

    private let keyLimit: Int
    /// Ascending revisions. Those before `first` are forgotten; they are cut off once they are the greater part.
    private var entries: [Entry] = []
    private var first = 0
    private var keyCount = 0
    /// The lowest revision that an agent may resume from.
    public private(set) var floor: Int
    /// The revision of the topology.
    public private(set) var latest: Int

    /// - Parameter revision: that of the rows from which the topology was loaded.
    public init(startingAt revision: Int, keyLimit: Int = Self.defaultKeyLimit) {
        precondition(keyLimit > 0, "a journal must be able to remember something")
        self.keyLimit = keyLimit
        latest = revision
        floor = revision + 1
    }

    /// Records what ``Topology/apply(_:)`` answered for the changes up to `revision`.
    public mutating func record(_ keys: [String: Set<HostItemKey>], revision: Int) {
        precondition(revision > latest, "revisions must rise")
        latest = revision
        let count = keys.values.reduce(0) { $0 + $1.count }
        entries.append(Entry(revision: revision, keys: keys, keyCount: count))
        keyCount += count
        while keyCount > keyLimit || entries.count - first > Self.revisionLimit { forgetOldest() }
        if first > entries.count - first {
            entries.removeFirst(first)
            first = 0
        }
    }

    private mutating func forgetOldest() {
        // An agent at this very revision has already seen it, and can still resume.
        floor = entries[first].revision
        keyCount -= entries[first].keyCount
        entries[first].keys = [:]
        first += 1
    }

    /// The keys of the host's items that may have changed since `revision`; nil when that is too long ago, or in a future that this server
    /// has not seen (a server of several catches up before it asks).
    public func keys(for host: String, since revision: Int) -> Set<HostItemKey>? {
        guard revision >= floor, revision <= latest else { return nil }
        var keys: Set<HostItemKey> = []
        for entry in entries[first...].reversed() {
            if entry.revision <= revision { break }
            if let changed = entry.keys[host] { keys.formUnion(changed) }
        }
        return keys
    }
}
