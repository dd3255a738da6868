import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

/// What a client does to the list of a router's gateways, named as the API and its policy name it.
public enum GatewayAction: String, Sendable, CaseIterable {
    /// Puts gateways behind those that are there.
    case add = "add_external_gateways"
    /// Makes the list what the request says, in its order: gateways that match an entry stay, others go, others come.
    case update = "update_external_gateways"
    /// Takes the gateways away that match an entry. The next one takes the place of the first.
    case remove = "remove_external_gateways"
}

extension Operations {
    /// `PUT /routers/{id}/ACTION` of `external-gateway-multihoming`: changes several gateways of a router at once, all of them or none.
    ///
    /// - Parameter body: `{"router": {"external_gateways": […]}}`.
    public func changeGateways(
        _ routerID: String, _ action: GatewayAction, body: [String: JSONValue], caller: Caller
    ) async throws -> Router {
        let (json, wanted) = try Self.gateways(in: body)
        return try await write(caller) { verb in
            let current = try verb.visible(Router.self, routerID)
            try verb.authorize(verb.policyAction(action, on: json), of: current)
            var router = current
            switch action {
            case .add: try verb.addGateways(to: &router, wanted)
            case .update: try verb.replaceGateways(of: &router, wanted)
            case .remove: try verb.removeGateways(of: &router, wanted)
            }
            try verb.refuseLostNextHops(of: router, was: current)
            guard router != current else { return try verb.withComputed(router) }
            try verb.save(&router)
            return try verb.withComputed(router)
        }
    }

    /// Null is an empty list, and so is the empty object that openstackclient sends. Two entries may be the same: two gateways on one network, with addresses that the server chooses.
    private static func gateways(in body: [String: JSONValue]) throws(APIError) -> (json: JSONValue, wanted: [GatewayRequest]) {
        guard let members = body["router"]?.objectValue, let json = members["external_gateways"] else {
            throw .badRequest("Unable to find 'router' with 'external_gateways' in request body")
        }
        guard !json.isNull, json.objectValue?.isEmpty != true else { return (.array([]), []) }
        guard let entries = json.arrayValue else { throw .invalidAttribute("external_gateways", "'\(json.pythonText)' is not a list") }
        guard entries.count <= AttributeType.maximumListCount else {
            throw .invalidAttribute("external_gateways", "a list has at most \(AttributeType.maximumListCount) entries")
        }
        var wanted: [GatewayRequest] = []
        for entry in entries {
            do throws(InvalidValue) {
                let checked = try Router.externalGatewayType.validate(entry)
                wanted.append(try Self.gateway(checked))
            } catch {
                throw .invalidAttribute("external_gateways", error.reason)
            }
        }
        return (json, wanted)
    }

    private static func gateway(_ checked: JSONValue) throws(InvalidValue) -> GatewayRequest {
        do throws(APIError) {
            return try GatewayRequest(checked.objectValue ?? [:], of: "external_gateways")
        } catch {
            throw InvalidValue(error.message)
        }
    }
}

extension Verb {
    fileprivate func policyAction(_ action: GatewayAction, on json: JSONValue) -> PolicyAction {
        let attribute = "external_gateways"
        let parts = policy.hasParts("\(action.rawValue):\(attribute)") ? Self.parts(of: json) : []
        return PolicyAction(action.rawValue, attributes: [.init(attribute, parts: parts)])
    }

    fileprivate func addGateways(to router: inout Router, _ wanted: [GatewayRequest]) throws {
        for request in wanted { router.gateways.append(try addedGateway(to: router, request)) }
    }

    fileprivate func removeGateways(of router: inout Router, _ wanted: [GatewayRequest]) throws {
        guard !wanted.isEmpty else { return }
        guard !router.gateways.isEmpty else { throw APIError.unableToRemoveGateways(router.id) }
        var removed: Set<ResourceID> = []
        for request in wanted {
            guard let gateway = try match(request, among: router.gateways, of: router) else {
                throw APIError.unableToMatchGateways(router.id, Self.text(of: request))
            }
            removed.insert(gateway.portID)
        }
        try removeGateways(of: &router) { removed.contains($0.portID) }
    }

    /// As in Neutron, the first entry speaks of the first gateway where that is on its network and nothing else matches.
    fileprivate func replaceGateways(of router: inout Router, _ wanted: [GatewayRequest]) throws {
        let sides = try wanted.map { try externalSide(of: $0) }
        var unmatched = router.gateways
        var matches: [ExternalGateway?] = []
        for request in wanted {
            let gateway = try match(request, among: unmatched, of: router)
            unmatched.removeAll { $0.portID == gateway?.portID }
            matches.append(gateway)
        }
        if let first = router.gateway, matches.first == .some(nil), wanted.first?.networkID == first.networkID,
            unmatched.contains(where: { $0.portID == first.portID })
        {
            matches[0] = first
            unmatched.removeAll { $0.portID == first.portID }
        }
        try removeGateways(of: &router) { gateway in unmatched.contains { $0.portID == gateway.portID } }
        var list: [ExternalGateway] = []
        for (index, request) in wanted.enumerated() {
            if let gateway = matches[index] {
                list.append(try changed(gateway, sides[index], request))
            } else {
                let gateway = try addedGateway(to: router, request)
                router.gateways.append(gateway)
                list.append(gateway)
            }
        }
        router.gateways = list
    }

    private func removeGateways(of router: inout Router, where isRemoved: (ExternalGateway) -> Bool) throws {
        for index in router.gateways.indices.reversed() where isRemoved(router.gateways[index]) {
            try removeGateway(at: index, of: &router)
        }
    }

    private func addedGateway(to router: Router, _ request: GatewayRequest) throws -> ExternalGateway {
        guard router.gateways.count < settings.maximumGateways else {
            throw APIError.unableToAddGateways(router.id, maximum: settings.maximumGateways)
        }
        return try newGateway(of: router, try externalSide(of: request), request)
    }

    // MARK: Matching

    /// The gateway that an entry means: the only one on its network, or one that has an address of it. Nil when there is none.
    private func match(
        _ request: GatewayRequest, among gateways: [ExternalGateway], of router: Router
    ) throws(APIError) -> ExternalGateway? {
        let candidates = gateways.filter { $0.networkID == request.networkID && Self.has($0, request.fixedIPs) }
        // Only an address tells gateways on one network from each other.
        let isNamed = request.fixedIPs?.contains { $0.address != nil } ?? false
        guard isNamed || candidates.count <= 1 else {
            throw .unableToMatchGateways(
                router.id,
                "multiple gateway ports are attached to the same network \(request.networkID) but external_fixed_ips parameter is not "
                    + "specified in the request")
        }
        return candidates.first { Self.hasAll($0, request.fixedIPs ?? []) } ?? candidates.first
    }

    private static func has(_ gateway: ExternalGateway, _ wanted: [AddressRequest]?) -> Bool {
        guard let wanted else { return true }
        return wanted.contains { request in gateway.fixedIPs.contains { isSame($0, request) } }
    }

    private static func hasAll(_ gateway: ExternalGateway, _ wanted: [AddressRequest]) -> Bool {
        wanted.allSatisfy { request in gateway.fixedIPs.contains { isSame($0, request) } }
    }

    private static func isSame(_ fixed: FixedIP, _ request: AddressRequest) -> Bool {
        if let address = request.address { return fixed.address == address }
        return request.subnetID.map { fixed.subnetID == $0 } ?? true
    }

    private static func text(of request: GatewayRequest) -> String {
        guard let fixedIPs = request.fixedIPs else {
            return "could not match gateway port IDs for gateway info with networks \(request.networkID)"
        }
        let addresses = fixedIPs.map { ($0.address?.description ?? $0.subnetID?.description) ?? "any" }
        return "could not match a gateway port attached to network \(request.networkID) based on the specified fixed IPs "
            + addresses.joined(separator: ", ")
    }
}
