import HostModel
import Testing

/// What an agent holds: the feed's messages applied in their order.
struct HostView {
    private(set) var items: [HostItemKey: HostItem] = [:]
    /// Nil after a reset, and before the first bookmark.
    private(set) var revision: Int?
    private(set) var resets = 0

    /// - Parameter exactly: whether each message must change something.
    mutating func apply(_ messages: [FeedMessage], exactly: Bool = false) {
        guard case .bookmark = messages.last else {
            Issue.record("messages end with a bookmark")
            return
        }
        for message in messages {
            switch message {
            case .reset:
                items = [:]
                revision = nil
                resets += 1
            case .put(let item):
                let old = items.updateValue(item, forKey: item.key)
                if exactly, old == item { Issue.record("sent again what the agent holds: \(item)") }
            case .drop(let key):
                let old = items.removeValue(forKey: key)
                if exactly, old == nil { Issue.record("dropped what the agent does not hold: \(key)") }
            case .bookmark(let revision): self.revision = revision
            }
        }
    }
}
