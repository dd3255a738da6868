import APISchema
import AccessPolicy
import NetworkModel
import Store

// A network, subnets and a router to the default external network that a project gets with one request (`auto-allocated-topology`).

extension Operations {
    /// `GET /auto-allocated-topology/{project}`: the network of the project's topology, which is made with the first request.
    ///
    /// - Parameter projectID: `None` means the caller's.
    public func autoAllocatedNetwork(of projectID: String, caller: Caller) async throws -> (networkID: ResourceID, projectID: String) {
        let projectID = try topologyProject(projectID, caller)
        return try await write(caller) { verb in
            try verb.authorize(PolicyAction("get_auto_allocated_topology"), on: ProjectTarget(projectID: projectID))
            if let known = try verb.topology(of: projectID) { return (known.networkID, projectID) }
            return (try verb.elevated.allocateTopology(for: projectID), projectID)
        }
    }

    /// `GET /auto-allocated-topology/{project}?fields=dry-run`: throws what would keep a topology from being made.
    public func checkAutoAllocation(for projectID: String, caller: Caller) async throws -> String {
        let projectID = try topologyProject(projectID, caller)
        return try await read(caller) { verb in
            try verb.authorize(PolicyAction("get_auto_allocated_topology"), on: ProjectTarget(projectID: projectID))
            _ = try verb.defaultExternalNetwork()
            guard try !verb.defaultPools().isEmpty else { throw APIError.autoAllocationFailure("No default subnetpools defined") }
            return projectID
        }
    }

    /// `DELETE /auto-allocated-topology/{project}`. Nothing happens where there is none.
    public func deleteAutoAllocatedTopology(of projectID: String, caller: Caller) async throws {
        let projectID = try topologyProject(projectID, caller)
        try await write(caller) { verb in
            try verb.authorize(PolicyAction("delete_auto_allocated_topology"), on: ProjectTarget(projectID: projectID))
            guard let topology = try verb.topology(of: projectID) else { return }
            try verb.elevated.deleteTopology(topology)
        }
    }

    private func topologyProject(_ projectID: String, _ caller: Caller) throws(APIError) -> String {
        let projectID = projectID == "None" ? caller.projectID : projectID
        guard policy.rules(for: caller).isAdmin || projectID == caller.projectID else {
            throw APIError(status: 403, type: "NotAuthorized", message: "Not authorized.")
        }
        try Verb.checkProject(projectID)
        return projectID
    }
}

extension Verb {
    fileprivate struct AllocatedTopology {
        var networkID: ResourceID
        /// Nil when the project deleted it meanwhile.
        var routerID: ResourceID?
    }

    fileprivate func topology(of projectID: String) throws -> AllocatedTopology? {
        let row = try transaction.rows(
            "SELECT network_id, router_id FROM auto_allocated_topologies WHERE project_id = ?", [.text(projectID)]
        ).first
        guard let row, let networkID = row[0].id else { return nil }
        return AllocatedTopology(networkID: networkID, routerID: row[1].id)
    }

    fileprivate func defaultExternalNetwork() throws -> Network {
        guard let network = try list(Network.self, where: "is_default", true).first else {
            throw APIError.autoAllocationFailure("No default router:external network")
        }
        return network
    }

    fileprivate func defaultPools() throws -> [SubnetPool] { try [defaultPool(.v4), defaultPool(.v6)].compactMap { $0 } }

    fileprivate func allocateTopology(for projectID: String) throws -> ResourceID {
        let external = try defaultExternalNetwork()
        let (network, subnets) = try allocateNetwork(for: projectID)
        let router = try refusing("Unable to provide external connectivity") {
            let router: Router = try create(
                .create([
                    "name": "auto_allocated_router", "project_id": .string(projectID),
                    "external_gateway_info": ["network_id": .string(external.id.description)],
                ]))
            for subnet in subnets {
                let target = try RouterInterfaceTarget(["subnet_id": .string(subnet.id.description)], isRemoval: false)
                _ = try addInterface(to: router.id.description, target)
            }
            return router
        }
        try transaction.execute(
            "INSERT INTO auto_allocated_topologies (project_id, network_id, router_id) VALUES (?, ?, ?)",
            [.text(projectID), network.id.columnValue, router.id.columnValue])
        return network.id
    }

    private func allocateNetwork(for projectID: String) throws -> (Network, [Subnet]) {
        try refusing("Unable to provide project private network") {
            let pools = try defaultPools()
            guard !pools.isEmpty else { throw APIError.autoAllocationFailure("Unable to provide project private network") }
            let network: Network = try create(.create(["name": "auto_allocated_network", "project_id": .string(projectID)]))
            let subnets: [Subnet] = try pools.map { pool in
                try create(
                    .create([
                        "name": .string("auto_allocated_subnet_v\(pool.version.rawValue)"), "network_id": .string(network.id.description),
                        "project_id": .string(projectID), "ip_version": .integer(pool.version.rawValue),
                        "subnetpool_id": .string(pool.id.description),
                    ]))
            }
            return (network, subnets)
        }
    }

    /// What the deployment lacks is not the caller's mistake: bad requests that the server makes itself are told in one sentence. Quotas and
    /// conflicts speak for themselves.
    private func refusing<T>(_ reason: String, _ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as APIError where error.status == 400 || error.status == 404 {
            throw APIError.autoAllocationFailure(reason)
        }
    }

    fileprivate func deleteTopology(_ topology: AllocatedTopology) throws {
        if let routerID = topology.routerID, let router = try find(Router.self, routerID) {
            for port in try routerPorts(of: router.id) where DeviceOwner.isRouterInterface(port.deviceOwner) {
                guard port.networkID == topology.networkID else { continue }
                let target = try RouterInterfaceTarget(["port_id": .string(port.id.description)], isRemoval: true)
                _ = try removeInterface(from: router.id.description, target)
            }
            try deleteRouter(try existing(Router.self, routerID))
        }
        try deleteNetwork(try existing(Network.self, topology.networkID))
    }

    /// Keeps one default external network at most. What is not external is no default one.
    func checkDefault(_ network: inout Network) throws {
        if !network.isExternal { network.isDefault = false }
        guard network.isDefault else { return }
        if let other = try list(Network.self, where: "is_default", true).first, other.id != network.id {
            throw APIError.conflict(
                "DefaultExternalNetworkExists", "A default external network already exists: \(other.id).")
        }
    }
}

extension APIError {
    fileprivate static func autoAllocationFailure(_ reason: String) -> APIError {
        .conflict("AutoAllocationFailure", "Deployment error: \(reason).")
    }
}
