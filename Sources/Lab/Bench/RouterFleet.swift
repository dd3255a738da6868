import APISchema

/// Hundreds of HA routers on three hosts, each with a gateway and an interface in a network of its own.
struct RouterFleet: Sendable {
    /// RFC 2544: for measurements. Larger than the usual external subnet.
    static let prefix = "198.18.0.0/20"
    static let outsideAddress = "198.18.0.1"
    static let routerLimit = 1000
    static let buildTimeoutMilliseconds = 900_000
    static let concurrentRequests = 4

    struct Member: Hashable, Sendable {
        var id: String
        var gatewayAddress: String
    }

    let lab: Lab
    let narrator: Narrator
    let saturationSeconds: Int
    /// What was there before the routers.
    let before: [HostUsage]
    let kernelBefore: KernelMemory
    let softirqPercentBefore: Double
    let markerNetwork: String
    let members: [Member]

    static func build(_ lab: Lab, narrator: Narrator, routers count: Int, saturationSeconds: Int) async throws -> RouterFleet {
        try await lab.waitForAgents()
        try await BenchmarkCloud.liftQuota(lab)
        try await lab.outside.output(["ip", "address", "add", "\(outsideAddress)/20", "dev", "eth0"])
        let external = try await lab.createExternalNetwork()
        let subnet = try await lab.api.create(
            "subnets",
            [
                "name": "fleet", "network_id": .string(external), "ip_version": 4, "cidr": .string(prefix), "enable_dhcp": false,
                "gateway_ip": .string(outsideAddress), "allocation_pools": [["start": "198.18.1.0", "end": "198.18.15.250"]],
            ]
        ).text("id")
        let marker = try await lab.createNetwork("marker", prefix: "10.0.0.0/24", hasDHCP: false).network.text("id")
        narrator.say("fleet: letting the empty lab idle, to know what it costs without routers")
        let softirq = try await KernelLoad.softirqPercent(seconds: FleetBenchmark.idleSeconds / 2)
        let before = try await HostUsage.of(lab.hosts)
        let kernelBefore = try KernelMemory.now()
        narrator.say("fleet: creating \(count) HA routers")
        let start = MonotonicTime.milliseconds
        let members = try await create(lab, external: external, subnet: subnet, count: count)
        let fleet = RouterFleet(
            lab: lab, narrator: narrator, saturationSeconds: saturationSeconds, before: before, kernelBefore: kernelBefore,
            softirqPercentBefore: softirq, markerNetwork: marker, members: members)
        narrator.say("fleet: created after \((MonotonicTime.milliseconds - start) / 1000) s; waiting until each has one master")
        try await fleet.waitUntilSettled()
        narrator.say("fleet: settled after \((MonotonicTime.milliseconds - start) / 1000) s")
        return fleet
    }

    private static func create(_ lab: Lab, external: String, subnet: String, count: Int) async throws -> [Member] {
        try await withThrowingTaskGroup(of: Member.self) { group in
            var members: [Member] = []
            for number in 0..<count {
                if number >= concurrentRequests, let member = try await group.next() { members.append(member) }
                group.addTask { try await createOne(lab, external: external, subnet: subnet, number: number) }
            }
            for try await member in group { members.append(member) }
            return members
        }
    }

    private static func createOne(_ lab: Lab, external: String, subnet: String, number: Int) async throws -> Member {
        let (_, inner) = try await lab.createNetwork(
            "fleet-\(number)", prefix: "10.\(64 + number / 250).\(number % 250).0/24", hasDHCP: false)
        let router = try await lab.api.create(
            "routers",
            [
                "name": .string("fleet-\(number)"), "ha": true,
                "external_gateway_info": [
                    "network_id": .string(external), "external_fixed_ips": [["subnet_id": .string(subnet)]],
                ],
            ])
        let id = try router.text("id")
        try await lab.api.call("PUT", "/v2.0/routers/\(id)/add_router_interface", ["subnet_id": .string(inner)])
        let fixed = router["external_gateway_info"]?["external_fixed_ips"]?.arrayValue?.first
        guard let address = fixed?["ip_address"]?.stringValue else { throw LabError("A router has no address: \(router.text)") }
        return Member(id: id, gatewayAddress: address)
    }

    // MARK: Looking

    func namespaces(on hosts: [LabHost]) -> [RouterNamespace] {
        hosts.flatMap { host in members.map { RouterNamespace(of: $0.id, on: host) } }
    }

    /// The masters of each router, as the kernels say.
    func masters() async throws -> [Member: [String]] {
        var masters: [Member: [String]] = Dictionary(uniqueKeysWithValues: members.map { ($0, []) })
        for host in lab.hosts {
            let addresses = try await RouterNamespace.addresses(of: members.map { RouterNamespace(of: $0.id, on: host) })
            for (member, held) in zip(members, addresses) where held.contains(member.gatewayAddress) {
                masters[member]?.append(host.name)
            }
        }
        return masters
    }

    /// Waits until each router has exactly one master.
    func waitUntilSettled(timeoutMilliseconds: Int = buildTimeoutMilliseconds) async throws {
        try await waitUntil("one master of each router", timeoutMilliseconds: timeoutMilliseconds, intervalMilliseconds: 1000) {
            try await masters().values.allSatisfy { $0.count == 1 }
        }
    }

    /// Waits until a host has the namespace of each router with a keepalived in it, as many with a conntrackd as it had before, and realises
    /// something new.
    func waitUntilSynchronized(_ host: LabHost, withConntrackd: Int) async throws {
        try await waitUntil(
            "\(members.count) routers on \(host.name)", timeoutMilliseconds: Self.buildTimeoutMilliseconds, intervalMilliseconds: 100
        ) {
            let routers = HostUsage.routers(on: host)
            return routers.withKeepalived >= members.count && routers.withConntrackd >= withConntrackd
        }
        let name = "marker-\(host.name)"
        let instance = try await lab.createInstance(name, host: host.name, network: markerNetwork, configuration: .fixed)
        try await waitUntil("the port of \(name) to become ACTIVE", timeoutMilliseconds: Self.buildTimeoutMilliseconds) {
            try await lab.api.show("ports", instance.portID)["status"]?.stringValue == "ACTIVE"
        }
        try await lab.deleteInstance(name)
    }

    /// Makes one host the master of all routers: the others lose their power one after the other and boot, and nobody preempts.
    func gather(on host: LabHost) async throws {
        var withConntrackd: [String: Int] = [:]
        for other in lab.hosts where other.name != host.name {
            withConntrackd[other.name] = HostUsage.routers(on: other).withConntrackd
            try await other.fault(.power)
        }
        try await waitUntil("\(host.name) to be master of all routers", timeoutMilliseconds: 120_000, intervalMilliseconds: 500) {
            try await masters().values.allSatisfy { $0.contains(host.name) }
        }
        for other in lab.hosts where other.name != host.name {
            try await other.heal()
            try await waitUntilSynchronized(other, withConntrackd: withConntrackd[other.name] ?? 0)
        }
        try await waitUntilSettled()
        let kept = try await masters().values.count { $0 == [host.name] }
        narrator.say("fleet: \(host.name) is the master of \(kept) of \(members.count) routers")
    }
}
