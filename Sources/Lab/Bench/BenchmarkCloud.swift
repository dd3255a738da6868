import APISchema

/// What the parts about packets are measured in: as the demonstration's, with an instance on each host and a floating IP for each instance.
struct BenchmarkCloud: Sendable {
    static let masterTimeoutMilliseconds = 60_000
    static let prefix = "10.0.0.0/24"

    let lab: Lab
    let narrator: Narrator
    var external: String
    var network: String
    var router: String
    var gatewayAddress: String
    /// The floating addresses of instances, by their names.
    var floating: [String: String] = [:]

    var instances: [Instance] { lab.instances.filter { floating[$0.name] != nil } }

    static func build(_ lab: Lab, narrator: Narrator) async throws -> BenchmarkCloud {
        try await lab.waitForAgents()
        try await liftQuota(lab)
        let external = try await lab.createExternalNetwork()
        let (network, subnet) = try await lab.createNetwork("private", prefix: prefix)
        let router = try await lab.createRouter("r1", externalNetwork: external, subnets: [subnet])
        guard !router.gatewayAddress.isEmpty else { throw LabError("The router has no external address.") }
        var cloud = BenchmarkCloud(
            lab: lab, narrator: narrator, external: external, network: try network.text("id"), router: router.id,
            gatewayAddress: router.gatewayAddress)
        for host in lab.hosts {
            let instance = try await lab.createInstance("vm\(host.number)", host: host.name, network: cloud.network)
            cloud.floating[instance.name] = try await lab.createFloatingIP(externalNetwork: external, portID: instance.portID).address
        }
        _ = try await cloud.allowPings()
        if let instance = cloud.instances.first { try await lab.allow("tcp", toPort: instance.portID) }
        _ = try await cloud.settledMaster()
        for instance in cloud.instances {
            try await lab.waitForReply(from: lab.outside, to: cloud.floating[instance.name] ?? "")
            try await lab.waitForReply(from: instance.place, to: Underlay.outsideAddress)
        }
        narrator.say("the cloud is up: an HA router on three hosts, an instance with a floating IP on each")
        return cloud
    }

    /// Adds the rule that lets pings in, and answers its id.
    @discardableResult
    func allowPings() async throws -> String {
        guard let instance = instances.first else { throw LabError("There is no instance.") }
        return try await lab.allowPings(toPort: instance.portID)
    }

    /// The security group of all instances.
    func securityGroup() async throws -> String {
        guard let instance = instances.first else { throw LabError("There is no instance.") }
        return try await lab.api.show("ports", instance.portID)["security_groups"]?.arrayValue?.first?.stringValue ?? ""
    }

    // MARK: The master

    /// The hosts whose router has the gateway address, as their kernels say.
    func holders() async throws -> [String] { try await lab.hosts(withAddress: gatewayAddress, router: router) }

    /// Waits until exactly one router has the gateway address, and the API says the same and that the others stand by.
    @discardableResult
    func settledMaster() async throws -> String {
        try await waitFor("one master and standbys beside it", timeoutMilliseconds: Self.masterTimeoutMilliseconds) {
            let holders = try await holders()
            let states = try await lab.api.agents(ofRouter: router).compactMap { $0["ha_state"]?.stringValue }.sorted()
            let active = try await lab.activeHosts(router: router)
            let isSettled = holders.count == 1 && holders == active && states == ["active", "standby", "standby"]
            return isSettled ? holders.first : nil
        }
    }

    /// Waits until another host than the given one has taken over.
    ///
    /// - Parameter asksServer: whether the API must say so, too.
    @discardableResult
    func successor(of master: String, asksServer: Bool = true) async throws -> String {
        try await waitFor("another master than \(master)", timeoutMilliseconds: Self.masterTimeoutMilliseconds) {
            let others = try await holders().filter { $0 != master }
            guard others.count == 1 else { return nil }
            let active = asksServer ? try await lab.activeHosts(router: router).filter { $0 != master } : others
            return others == active ? others.first : nil
        }
    }

    /// An instance that is not on the given host, and its floating IP.
    func instance(offHost host: String) throws -> (instance: Instance, floating: String) {
        guard let instance = instances.first(where: { $0.host != host }), let address = floating[instance.name] else {
            throw LabError("No instance is off \(host).")
        }
        return (instance, address)
    }

    /// A new port that becomes ACTIVE shows that the host's agent holds the whole view and has gone through a cycle.
    func realiseSomething(on host: LabHost, timeoutMilliseconds: Int = 120_000) async throws {
        let name = "marker-\(host.name)"
        let instance = try await lab.createInstance(name, host: host.name, network: network, configuration: .fixed)
        try await waitUntil("port \(instance.portID) to become ACTIVE", timeoutMilliseconds: timeoutMilliseconds) {
            try await lab.api.show("ports", instance.portID)["status"]?.stringValue == "ACTIVE"
        }
        try await lab.deleteInstance(name)
    }

    // MARK: Parts

    /// Takes away the limits that measurements reach.
    static func liftQuota(_ lab: Lab) async throws {
        let limits: JSONValue = ["port": -1, "network": -1, "subnet": -1, "router": -1, "floatingip": -1]
        try await lab.api.call("PUT", "/v2.0/quotas/\(try await lab.projectID())", ["quota": limits])
    }

    /// A network with a subnet of 65,533 addresses, no DHCP, and no limit for ports.
    static func makeLargeNetwork(_ lab: Lab) async throws -> String {
        try await liftQuota(lab)
        return try await lab.createNetwork("large", prefix: "10.1.0.0/16", hasDHCP: false).network.text("id")
    }
}
