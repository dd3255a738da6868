import HostModel
import NetworkModel

/// Collects, while changes are applied, which items of which hosts may have become different.
struct ConcernedKeys {
    private(set) var byHost: [String: Set<HostItemKey>] = [:]
    /// False while a whole topology is loaded: nobody is listening yet.
    let isRecording: Bool

    init(isRecording: Bool) { self.isRecording = isRecording }

    mutating func note(_ kind: HostItemKey.Kind, _ id: ResourceID, of owner: ResourceID? = nil, on host: String) {
        guard isRecording else { return }
        byHost[host, default: []].insert(HostItemKey(kind, id, of: owner))
    }

    mutating func note(_ kind: HostItemKey.Kind, _ id: ResourceID, of owner: ResourceID? = nil, on hosts: some Sequence<String>) {
        guard isRecording else { return }
        let key = HostItemKey(kind, id, of: owner)
        for host in hosts { byHost[host, default: []].insert(key) }
    }
}
