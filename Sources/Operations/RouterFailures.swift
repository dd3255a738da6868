import APISchema
import NetworkModel
import Store

// What hosts cannot realise of their routers. It is the member's; the router's status follows from all of its members:
//
//                    the only member, every master, or all members fail
//      ┌────────┐ ──────────────────────────────────────────────────────▶ ┌───────┐
//      │ ACTIVE │                                                          │ ERROR │
//      └────────┘ ◀────────────────────────────────────────────────────── └───────┘
//                    they do not any more, another is master, or they go

/// A member's failure that began, changed or ended.
public struct RouterFailureChange: Sendable, Hashable {
    public var routerID: ResourceID
    public var hostID: String
    /// What the host says; nil: it is over.
    public var failure: String?

    public init(routerID: ResourceID, hostID: String, failure: String?) {
        self.routerID = routerID
        self.hostID = hostID
        self.failure = failure
    }
}

extension Verb {
    /// How long a member fails counts from its first failure, whatever it fails at later. What comes from outside of the host counts not at all.
    func setFailure(_ failure: String?, isExternal: Bool, ofRouter routerID: ResourceID, on hostID: String) throws {
        let since = failure == nil || isExternal ? "NULL" : "COALESCE(failing_since, \(now.secondsSince1970))"
        try transaction.execute(
            "UPDATE router_members SET failure = ?, failing_since = \(since) WHERE router_id = ? AND host_id = ?",
            [failure.map { .text($0) } ?? .null, routerID.columnValue, .text(hostID)])
    }

    /// Makes the router's status what its members say. It is the server's word, so the revision number stays.
    func refreshStatus(ofRouter routerID: ResourceID) throws {
        guard var router = try find(Router.self, routerID) else { return }
        let status: ResourceStatus = try isFailing(routerID) ? .error : router.status == .error ? .active : router.status
        guard router.status != status else { return }
        router.status = status
        try transaction.update(router)
    }

    private func isFailing(_ routerID: ResourceID) throws -> Bool {
        let members = try transaction.rows(
            "SELECT state, failure, ha_port_id FROM router_members WHERE router_id = ?", [routerID.columnValue])
        // A standalone router's only member has no state.
        let masters = members.filter { $0[2].text != nil && $0[0].text == HAState.active.rawValue }
        let decisive = masters.isEmpty ? members : masters
        return !decisive.isEmpty && decisive.allSatisfy { $0[1].text != nil }
    }
}
