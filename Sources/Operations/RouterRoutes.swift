import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension Operations {
    /// `PUT /routers/{id}/add_extraroutes`: adds routes to those that are there; what is there already stays.
    ///
    /// - Parameter body: `{"router": {"routes": […]}}`, as for an update.
    public func addExtraRoutes(
        _ routerID: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> Router {
        let added = try Self.routes(in: body)
        return try await changeRoutes(routerID, "add_extraroutes", ifMatch, caller) { routes in
            routes + added.filter { !routes.contains($0) }
        }
    }

    /// `PUT /routers/{id}/remove_extraroutes`: takes routes away; one that is not there is no error.
    public func removeExtraRoutes(
        _ routerID: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> Router {
        let removed = Set(try Self.routes(in: body))
        return try await changeRoutes(routerID, "remove_extraroutes", ifMatch, caller) { routes in
            routes.filter { !removed.contains($0) }
        }
    }

    private func changeRoutes(
        _ routerID: String, _ rule: String, _ ifMatch: RevisionConstraint?, _ caller: Caller,
        _ change: @escaping @Sendable ([StaticRoute]) -> [StaticRoute]
    ) async throws -> Router {
        try await write(caller) { verb in
            var router = try verb.authorized(Router.self, routerID, to: rule, ifMatch: ifMatch)
            router.routes = change(router.routes)
            try verb.checkRoutes(of: router)
            try verb.save(&router)
            return try verb.withComputed(router)
        }
    }

    private static func routes(in body: [String: JSONValue]) throws(APIError) -> [StaticRoute] {
        guard let members = body["router"]?.objectValue, let json = members["routes"] else {
            throw .badRequest("Unable to find 'router' with 'routes' in request body")
        }
        do throws(InvalidValue) {
            return try [StaticRoute](json: AttributeType.routes.validate(json))
        } catch {
            throw .invalidAttribute("routes", error.reason)
        }
    }
}

extension Verb {
    /// A next hop must be on a subnet of the router and not the router itself. Several routes may have one destination (ECMP).
    func checkRoutes(of router: Router) throws {
        guard !router.routes.isEmpty else { return }
        let text = router.routes.pythonText
        let addresses = try routerPorts(of: router.id).flatMap(\.fixedIPs)
        let prefixes = try prefixes(of: addresses)
        for route in router.routes {
            guard prefixes.contains(where: { $0.contains(route.nextHop) }) else {
                throw APIError.invalidRoutes(text, "the nexthop is not connected with router")
            }
            guard !addresses.contains(where: { $0.address == route.nextHop }) else {
                throw APIError.invalidRoutes(text, "the nexthop is used by router")
            }
            guard route.destination.version == route.nextHop.version else {
                throw APIError.invalidRoutes(text, "the nexthop is not of the destination's IP version")
            }
        }
        guard router.routes.count <= settings.maximumRoutes else {
            throw APIError.routesExhausted(router.id, maximum: settings.maximumRoutes)
        }
    }

    /// Routes need the subnets that their next hops are on.
    func isNeededByRoute(_ subnet: Subnet, _ router: Router) -> Bool {
        router.routes.contains { subnet.prefix.contains($0.nextHop) }
    }

    /// Gateways that go or move must not leave routes behind that lead through them.
    func refuseLostNextHops(of router: Router, was former: Router) throws {
        let lost = Set(former.gateways.flatMap(\.fixedIPs)).subtracting(router.gateways.flatMap(\.fixedIPs))
        guard !router.routes.isEmpty, !lost.isEmpty else { return }
        let prefixes = try prefixes(of: routerPorts(of: router.id).flatMap(\.fixedIPs))
        for fixed in lost.sorted(by: { $0.address < $1.address }) {
            guard let subnet = try find(Subnet.self, fixed.subnetID) else { continue }
            let isLost = router.routes.contains { route in
                subnet.prefix.contains(route.nextHop) && !prefixes.contains { $0.contains(route.nextHop) }
            }
            if isLost { throw APIError.routerInterfaceInUseByRoute(router.id, subnetID: subnet.id) }
        }
    }

    private func prefixes(of fixedIPs: [FixedIP]) throws -> [IPPrefix] {
        try Set(fixedIPs.map(\.subnetID)).compactMap { try find(Subnet.self, $0)?.prefix }
    }
}

extension [StaticRoute] {
    /// As Python prints the list.
    fileprivate var pythonText: String {
        JSONValue.array(
            map { ["destination": .string($0.destination.description), "nexthop": .string($0.nextHop.description)] }
        ).pythonText
    }
}
