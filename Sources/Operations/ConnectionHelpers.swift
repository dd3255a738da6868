import APISchema
import NetworkModel
import Store

// Connection helpers. The router's row repeats them, so each of them is a change of the router.

extension ConnectionHelper: ChildResource {
    public typealias Parent = Router
    public static let parentColumn = "router_id"
    public var parentID: ResourceID { routerID }

    public static func create(
        _ request: ResourceRequest<ConnectionHelper>, under parent: Router, in verb: Verb
    ) throws -> ConnectionHelper {
        try verb.createConnectionHelper(request, parent)
    }
    public static func update(
        _ helper: ConnectionHelper, _ request: ResourceRequest<ConnectionHelper>, in verb: Verb
    ) throws -> ConnectionHelper {
        try verb.updateConnectionHelper(helper, request)
    }
    public static func delete(_ helper: ConnectionHelper, in verb: Verb) throws { try verb.deleteConnectionHelper(helper) }

    public static func notFound(_ id: String) -> APIError {
        .notFound("ConntrackHelperNotFound", "Conntrack Helper \(id) could not be found.")
    }

    /// What the kernel's helpers understand, as Neutron allows it.
    static let allowedProtocols: [String: [String]] = [
        "amanda": ["tcp"], "ftp": ["tcp"], "h323": ["udp", "tcp"], "irc": ["tcp"], "netbios-ns": ["udp"], "pptp": ["tcp"], "sane": ["tcp"],
        "sip": ["udp", "tcp"], "snmp": ["udp"], "tftp": ["udp"],
    ]
}

extension Verb {
    /// Helpers of one router: each is a rule that every new connection is compared with.
    private static let maximumHelpers = 100

    func createConnectionHelper(_ request: ResourceRequest<ConnectionHelper>, _ parent: Router) throws -> ConnectionHelper {
        var helper = ConnectionHelper(id: newID(), routerID: parent.id, helper: "", networkProtocol: "", port: 1)
        try request.assign(to: &helper)
        try check(helper, beside: parent)
        guard parent.helpers.count < Self.maximumHelpers else {
            throw APIError.badRequest("conntrack_helper", "The number of helpers exceeds the maximum \(Self.maximumHelpers)")
        }
        try transaction.insert(helper)
        var router = parent
        router.helpers.append(Router.Helper(helper))
        try save(&router)
        return helper
    }

    func updateConnectionHelper(_ current: ConnectionHelper, _ request: ResourceRequest<ConnectionHelper>) throws -> ConnectionHelper {
        var router = try existing(Router.self, current.routerID)
        var helper = current
        try request.assign(to: &helper)
        try check(helper, beside: router)
        try transaction.update(helper)
        router.helpers = router.helpers.map { $0.id == helper.id ? Router.Helper(helper) : $0 }
        try save(&router)
        return helper
    }

    func deleteConnectionHelper(_ helper: ConnectionHelper) throws {
        try transaction.delete(ConnectionHelper.self, helper.id)
        var router = try existing(Router.self, helper.routerID)
        router.helpers.removeAll { $0.id == helper.id }
        try save(&router)
    }

    private func check(_ helper: ConnectionHelper, beside router: Router) throws {
        guard let protocols = ConnectionHelper.allowedProtocols[helper.helper] else {
            throw APIError.invalid("ConntrackHelperNotAllowed", "Conntrack Helper \(helper.helper) is not allowed.")
        }
        guard protocols.contains(helper.networkProtocol) else {
            throw APIError.invalid(
                "InvalidProtocolForHelper",
                "Conntrack Helper \(helper.helper) does not support: \(helper.networkProtocol). Supported protocols are: "
                    + protocols.joined(separator: ", "))
        }
        let isTwice = router.helpers.contains {
            $0.id != helper.id && $0.helper == helper.helper && $0.networkProtocol == helper.networkProtocol && $0.port == helper.port
        }
        guard !isTwice else {
            let values =
                "{'router_id': '\(router.id)', 'protocol': '\(helper.networkProtocol)', 'port': \(helper.port), 'helper': '\(helper.helper)'}"
            throw APIError.badRequest(
                "conntrack_helper",
                "A duplicate conntrack helper entry with same attributes already exists, conflicting values are \(values)")
        }
    }
}
