import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension Router: ManagedResource {
    public static func create(_ request: ResourceRequest<Router>, in verb: Verb) throws -> Router { try verb.createRouter(request) }
    public static func update(_ router: Router, _ request: ResourceRequest<Router>, in verb: Verb) throws -> Router {
        try verb.updateRouter(router, request)
    }
    public static func delete(_ router: Router, in verb: Verb) throws { try verb.deleteRouter(router) }

    public static func notFound(_ id: String) -> APIError { .notFound("RouterNotFound", "Router \(id) could not be found") }

    /// Who owns the ports of its interfaces.
    var interfaceOwner: String { isHighlyAvailable ? DeviceOwner.haReplicatedInterface : DeviceOwner.routerInterface }
}

extension Verb {
    func createRouter(_ request: ResourceRequest<Router>) throws -> Router {
        var router = Router(id: newID(), projectID: try project(of: request))
        try request.assign(to: &router)
        router.isHighlyAvailable = try request.value("ha", as: Bool?.self).flatMap { $0 } ?? settings.areRoutersHighlyAvailable
        try applyDefaultRoute(request, to: &router)
        try applyFlavor(request, to: &router)
        try checkQuota("router", router.projectID)
        try checkZones(router.availabilityZoneHints, for: .l3)
        if router.isHighlyAvailable { try joinHANetwork(&router) }
        try scheduleRouter(router)
        if request.contains("external_gateway_info") {
            let gateway = try GatewayRequest(request)
            try setGateway(of: &router, gateway)
        }
        open(&router)
        try transaction.insert(router)
        return router
    }

    func updateRouter(_ current: Router, _ request: ResourceRequest<Router>) throws -> Router {
        var router = current
        try request.assign(to: &router)
        try applyDefaultRoute(request, to: &router)
        if let isHighlyAvailable = try request.value("ha", as: Bool?.self).flatMap({ $0 }), isHighlyAvailable != current.isHighlyAvailable {
            guard router.flavorID == nil else {
                throw APIError.invalidInput(
                    "Changing the 'ha' and 'distributed' attributes on a router associated with a flavor is not supported")
            }
            guard !router.isAdminStateUp else {
                throw APIError.badRouterRequest(
                    "Cannot change HA attribute of active routers. Please set router admin_state_up to False prior to upgrade")
            }
            try convert(&router, isHighlyAvailable: isHighlyAvailable)
        }
        if request.contains("external_gateway_info") {
            let gateway = try GatewayRequest(request)
            try setGateway(of: &router, gateway)
        }
        if request.contains("routes") {
            router.routes = try request.value("routes", as: [StaticRoute]?.self).flatMap { $0 } ?? []
            try checkRoutes(of: router)
        } else {
            try refuseLostNextHops(of: router, was: current)
        }
        try save(&router)
        return router
    }

    /// Null asks for nothing.
    private func applyDefaultRoute(_ request: ResourceRequest<Router>, to router: inout Router) throws {
        guard let isShared = try request.value("enable_default_route_ecmp", as: Bool?.self).flatMap({ $0 }) else { return }
        router.sharesDefaultRoute = isShared
    }

    func deleteRouter(_ current: Router) throws {
        var router = current
        let interfaces = try routerPorts(of: router.id).filter { DeviceOwner.isRouterInterface($0.deviceOwner) }
        guard interfaces.isEmpty else { throw APIError.routerInUse(router.id, portIDs: interfaces.map(\.id)) }
        for index in router.gateways.indices.reversed() { try removeGateway(at: index, of: &router) }
        for member in try members(of: router.id) { try removeMember(member) }
        try transaction.execute("DELETE FROM router_ports WHERE router_id = ?", [router.id.columnValue])
        try transaction.delete(Router.self, router.id)
        if router.isHighlyAvailable { try leaveHANetwork(projectID: router.projectID) }
    }

    /// The ports of the router's interfaces and of its gateways.
    func routerPorts(of routerID: ResourceID) throws -> [Port] {
        try transaction.rows("SELECT port_id FROM router_ports WHERE router_id = ? ORDER BY port_id", [routerID.columnValue])
            .compactMap { row in try row[0].id.flatMap { try find(Port.self, $0) } }
    }

    func insertRouterPort(_ port: Port, of routerID: ResourceID) throws {
        _ = try transaction.insertIfAbsent(
            table: "router_ports", columns: ["router_id", "port_id", "port_type"],
            values: [routerID.columnValue, port.id.columnValue, .text(port.deviceOwner)])
    }
}
