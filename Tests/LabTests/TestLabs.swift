import Glibc
import Lab
import Testing

/// Namespaces take root.
let isRoot = geteuid() == 0
let needsRoot: Comment = "labs make network namespaces, which takes root"

/// Runs a body with a lab of its own, which is ended afterwards, whatever happens. What is known about a failure is kept.
func withLab(hosts: Int = 2, startsServices: Bool = true, serverArguments: [String] = [], _ body: (Lab) async throws -> Void) async throws {
    var configuration = Lab.Configuration(name: "test-\(UInt32.random(in: 0...UInt32.max))", hosts: hosts)
    configuration.startsServices = startsServices
    configuration.serverArguments = serverArguments
    let lab = try await Lab.up(configuration)
    do {
        try await body(lab)
        try await lab.down()
    } catch {
        let evidence = await lab.saveEvidence() ?? "nowhere"
        try await lab.down()
        Issue.record("\(error); logs are in \(evidence)")
    }
}

/// Gives every host an address on the physical network, which the agent would otherwise use.
func addPhysicalAddresses(_ lab: Lab) async throws {
    for host in lab.hosts {
        try await host.place.output(["ip", "address", "add", "203.0.113.\(10 + host.number)/24", "dev", "eth1"])
    }
}

/// A project network with a highly available router to the outside.
struct TestCloud {
    let lab: Lab
    let externalID: String
    let networkID: String
    let subnetID: String
    let router: LabRouter

    /// The outside host's IPv6 address, where there is IPv6.
    static let outsideIPv6Address = "2001:db8:100::1"

    /// - Parameter hasIPv6: instances get IPv6 addresses too, by themselves (SLAAC), with which they reach the outside host.
    init(_ lab: Lab, isHighlyAvailable: Bool = true, hasIPv6: Bool = false) async throws {
        self.lab = lab
        let external = try await lab.createExternalNetwork()
        externalID = external
        let (network, subnet) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
        networkID = try network.text("id")
        subnetID = subnet
        let more = hasIPv6 ? [try await Self.addIPv6(lab, external: external, network: networkID)] : []
        router = try await lab.createRouter(
            "r1", isHighlyAvailable: isHighlyAvailable, externalNetwork: external, subnets: [subnet] + more)
        if hasIPv6 { try await Self.route(lab, to: router) }
    }

    private static let privateIPv6Prefix = "2001:db8:1::/64"

    static func addExternalIPv6(_ lab: Lab, external: String) async throws {
        _ = try await lab.api.create(
            "subnets",
            [
                "name": "public-ipv6", "network_id": .string(external), "ip_version": 6, "cidr": "2001:db8:100::/64",
                "gateway_ip": .string(outsideIPv6Address), "enable_dhcp": false,
            ])
    }

    /// Answers the id of the network's subnet.
    private static func addIPv6(_ lab: Lab, external: String, network: String) async throws -> String {
        try await addExternalIPv6(lab, external: external)
        return try await lab.api.create(
            "subnets",
            [
                "name": "private-ipv6", "network_id": .string(network), "ip_version": 6, "cidr": .string(privateIPv6Prefix),
                "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac",
            ]
        ).text("id")
    }

    /// Nothing is translated in IPv6: the outside host needs a route.
    private static func route(_ lab: Lab, to router: LabRouter) async throws {
        let fixed = try await lab.api.show("routers", router.id)["external_gateway_info"]?["external_fixed_ips"]?.arrayValue ?? []
        guard let address = fixed.compactMap({ $0["ip_address"]?.stringValue }).first(where: { $0.contains(":") }) else {
            throw LabError("The router has no external IPv6 address.")
        }
        try await lab.outside.output(["ip", "address", "add", "\(outsideIPv6Address)/64", "dev", "eth0", "nodad"])
        try await lab.outside.output(["ip", "route", "add", privateIPv6Prefix, "via", address, "dev", "eth0"])
    }

    /// Pings the outside host over IPv6 until it answers.
    func waitForIPv6(from instance: Instance) async throws {
        try await waitUntil("\(instance.name) to reach the outside host over IPv6", timeoutMilliseconds: 60_000) {
            try await instance.place.run(["ping", "-6", "-c", "1", "-W", "1", Self.outsideIPv6Address]).exitCode == 0
        }
    }

    /// Waits until exactly one host is master, as the kernel and the API say, and answers it.
    func master(besides excluded: String? = nil) async throws -> String {
        try await waitFor("one VRRP master", timeoutMilliseconds: 60_000) {
            let holders = try await owners().filter { $0 != excluded }
            let active = try await lab.activeHosts(router: router.id).filter { $0 != excluded }
            return holders.count == 1 && active == holders ? holders[0] : nil
        }
    }

    /// The hosts whose router has the gateway address, as their kernels say.
    func owners() async throws -> [String] { try await lab.hosts(withAddress: router.gatewayAddress, router: router.id) }

    /// Waits until exactly one host has the gateway address in so many looks in a row: over longer than VRRP's timers take.
    func waitForOneOwner(looks: Int = 50) async throws {
        var inARow = 0
        try await waitUntil("one owner in \(looks) looks in a row", timeoutMilliseconds: 120_000, intervalMilliseconds: 100) {
            inARow = try await owners().count == 1 ? inARow + 1 : 0
            return inARow >= looks
        }
    }

    /// An instance on a host that is not the master's, with a floating IP that lets everybody ping and connect.
    func reachableInstance(_ name: String = "vm1") async throws -> (instance: Instance, floating: String) {
        let master = try await master()
        guard let host = lab.hosts.map(\.name).first(where: { $0 != master }) else { throw LabError("There is one host only.") }
        let instance = try await lab.createInstance(name, host: host, network: networkID)
        for name in ["icmp", "tcp"] { try await lab.allow(name, toPort: instance.portID) }
        let floating = try await lab.createFloatingIP(externalNetwork: externalID, portID: instance.portID)
        return (instance, floating.address)
    }
}
