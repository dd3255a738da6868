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

    init(_ lab: Lab, isHighlyAvailable: Bool = true) async throws {
        self.lab = lab
        let external = try await lab.createExternalNetwork()
        externalID = external
        let (network, subnet) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
        networkID = try network.text("id")
        subnetID = subnet
        router = try await lab.createRouter("r1", isHighlyAvailable: isHighlyAvailable, externalNetwork: external, subnets: [subnet])
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
