import Addressing
import FakeKernel
import Glibc
import KernelInterface
import Testing

@Suite struct FakeKernelTests {
    private let space = NamespaceName("qdhcp-1")
    private let remote = IPAddress.v4(IPv4Address(192, 0, 2, 9))

    private func code(_ body: () throws(KernelError) -> Void) -> Int32? {
        do throws(KernelError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    private func address(_ last: UInt8) -> LinkAddress {
        LinkAddress(link: "brq1", address: InterfaceAddress(.v4(IPv4Address(10, 0, 0, last)), prefixLength: 24))
    }

    @Test("Adding twice and touching what is not there gives the kernel's errors")
    func errors() throws {
        let kernel = FakeKernel()
        let bridge = Link(name: "brq1", kind: .bridge)
        #expect(code { () throws(KernelError) in try kernel.perform(.addLink(bridge, nil)) } == nil)
        #expect(code { () throws(KernelError) in try kernel.perform(.addLink(bridge, nil)) } == EEXIST)
        #expect(code { () throws(KernelError) in try kernel.perform(.removeLink(name: "brq2", nil)) } == ENODEV)
        #expect(code { () throws(KernelError) in try kernel.perform(.addLink(bridge, space)) } == ENOENT)
        let lost = Link(name: "vxlan-1", kind: .vxlan(vni: 1, local: remote, port: 4789, isLearning: false), bridge: "brq9")
        #expect(code { () throws(KernelError) in try kernel.perform(.addLink(lost, nil)) } == ENODEV)
        #expect(code { () throws(KernelError) in try kernel.perform(.addLink(Link(name: "eth7", kind: .foreign), nil)) } == EOPNOTSUPP)
        try kernel.perform(.addAddress(address(1), nil))
        #expect(code { () throws(KernelError) in try kernel.perform(.addAddress(address(1), nil)) } == EEXIST)
        #expect(code { () throws(KernelError) in try kernel.perform(.removeAddress(address(2), nil)) } == EADDRNOTAVAIL)
        #expect(code { () throws(KernelError) in _ = try kernel.links(in: space) } == ENOENT)
        #expect(code { () throws(KernelError) in _ = try kernel.sysctl("net/ipv4/conf/none/forwarding", in: nil) } == ENOENT)
    }

    @Test("Both ends of a veth pair vanish together, also with a namespace")
    func vethPairs() throws {
        let kernel = FakeKernel()
        let pair = Link(name: "tap1", kind: .veth(peer: "ns-1", peerNamespace: space))
        try kernel.perform(.addNamespace(space))
        try kernel.perform(.addLink(pair, nil))
        #expect(try kernel.links(in: space).first { $0.name == "ns-1" }?.kind == .veth(peer: "tap1", peerNamespace: nil))
        try kernel.perform(.removeLink(name: "ns-1", space))
        #expect(try kernel.links(in: nil).map(\.name) == ["lo"])
        try kernel.perform(.addLink(pair, nil))
        try kernel.perform(.removeNamespace(space))
        #expect(try kernel.links(in: nil).map(\.name) == ["lo"])
    }

    @Test("A bridge that goes takes neighbours along and frees its ports")
    func bridges() throws {
        let kernel = FakeKernel()
        let mac = MACAddress(rawValue: 5)
        try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), nil))
        let tunnel = Link(name: "vxlan-1", kind: .vxlan(vni: 1, local: remote, port: 4789, isLearning: false), bridge: "brq1")
        try kernel.perform(.addLink(tunnel, nil))
        try kernel.perform(.addForwarding(.bridgePort(mac: mac, link: "vxlan-1"), nil))
        try kernel.perform(.addForwarding(.tunnel(mac: mac, link: "vxlan-1", remote: remote), nil))
        try kernel.perform(.setNeighbour(Neighbour(address: remote, mac: mac, link: "brq1"), nil))
        try kernel.perform(.removeLink(name: "brq1", nil))
        #expect(try kernel.neighbours(in: nil).isEmpty)
        #expect(try kernel.forwardingEntries(in: nil) == [.tunnel(mac: mac, link: "vxlan-1", remote: remote)])
        #expect(try kernel.links(in: nil).allSatisfy { $0.bridge == nil })
    }

    @Test("A bridge without a MAC of its own takes its ports' lowest one and loses its neighbours with every change of it")
    func bridgeMAC() throws {
        let kernel = FakeKernel()
        let neighbour = Neighbour(address: remote, mac: MACAddress(rawValue: 5), link: "brq1")
        let port = Link(name: "tap1", kind: .foreign, mac: MACAddress(rawValue: 7), bridge: "brq1")
        for mac in [nil, MACAddress(rawValue: 9)] {
            try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge, mac: mac), nil))
            try kernel.perform(.setNeighbour(neighbour, nil))
            try kernel.plug(port)
            #expect(try kernel.links(in: nil).first { $0.name == "brq1" }?.mac == mac ?? MACAddress(rawValue: 7))
            #expect(try kernel.neighbours(in: nil).isEmpty == (mac == nil))
            for name in ["brq1", "tap1"] { try kernel.somebodyElse(.removeLink(name: name, nil)) }
        }
    }

    @Test("Removing the first address of a subnet removes the others; removing another one does not")
    func secondaryAddresses() throws {
        let kernel = FakeKernel()
        try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), nil))
        for last in [1, 2, 3] as [UInt8] { try kernel.perform(.addAddress(address(last), nil)) }
        try kernel.perform(.removeAddress(address(2), nil))
        #expect(try kernel.addresses(in: nil) == [address(1), address(3)])
        try kernel.perform(.removeAddress(address(1), nil))
        #expect(try kernel.addresses(in: nil).isEmpty)
    }

    @Test("A route needs a link that is up and a gateway that is reachable, and replaces the one to its destination")
    func routes() throws {
        let kernel = FakeKernel()
        try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge, isUp: false), nil))
        let all = try #require(IPPrefix("0.0.0.0/0"))
        let route = Route(destination: all, gateway: .v4(IPv4Address(10, 0, 0, 9)), link: "brq1")
        #expect(code { () throws(KernelError) in try kernel.perform(.setRoute(route, nil)) } == ENETDOWN)
        try kernel.perform(.changeLink(Link(name: "brq1", kind: .bridge), nil))
        #expect(code { () throws(KernelError) in try kernel.perform(.setRoute(route, nil)) } == ENETUNREACH)
        try kernel.perform(.addAddress(address(1), nil))
        try kernel.perform(.setRoute(route, nil))
        let other = Route(destination: all, gateway: .v4(IPv4Address(10, 0, 0, 8)), link: "brq1")
        try kernel.perform(.setRoute(other, nil))
        #expect(try kernel.routes(in: nil) == [other])
        try kernel.perform(.changeLink(Link(name: "brq1", kind: .bridge, isUp: false), nil))
        #expect(try kernel.routes(in: nil).isEmpty)
    }

    @Test("A script is one transaction: all of it or nothing")
    func firewallTransaction() throws {
        let kernel = FakeKernel()
        let table = "table ip t {\n set s {\n type ipv4_addr\n elements = {\n 10.0.0.1, 10.0.0.2\n }\n }\n chain c {\n drop\n }\n}\n"
        try kernel.perform(.applyFirewall(script: "add table ip t\n" + table, nil))
        let generation = try kernel.firewallGeneration(in: nil)
        let broken = "delete element ip t s {\n10.0.0.1\n}\nadd element ip t none {\n10.0.0.3\n}\n"
        #expect(code { () throws(KernelError) in try kernel.perform(.applyFirewall(script: broken, nil)) } == ENOENT)
        #expect(kernel.firewallTable("ip t")?.sets["s"]?.elements == ["10.0.0.1", "10.0.0.2"])
        #expect(try kernel.firewallGeneration(in: nil) == generation)
        #expect(code { () throws(KernelError) in try kernel.perform(.applyFirewall(script: "chain x {", nil)) } == 0)
        let missingChain = "table ip t {\n map m {\n type ifname : verdict\n elements = {\n tap1 : jump nowhere\n }\n }\n}\n"
        #expect(code { () throws(KernelError) in try kernel.perform(.applyFirewall(script: missingChain, nil)) } == ENOENT)
        try kernel.perform(.applyFirewall(script: "delete element ip t s {\n10.0.0.1\n}\n", nil))
        #expect(kernel.firewallTable("ip t")?.sets["s"]?.elements == ["10.0.0.2"])
        #expect(try kernel.firewallGeneration(in: nil) != generation)
    }

    @Test("Tables are also made line by line, and an element with a time is known by what stands before the time")
    func firewallLines() throws {
        let kernel = FakeKernel()
        let lines = """
            add table bridge t
            add counter bridge t c
            add set bridge t s { type ifname; flags timeout; }
            add chain bridge t drops
            add chain bridge t forward { type filter hook forward priority -10; policy accept; }
            flush chain bridge t forward
            add rule bridge t forward iifname @s goto drops
            add element bridge t s { "tap1" timeout 10ms }
            delete element bridge t s { "tap1" }
            add element bridge t s { "tap1" timeout 20ms }

            """
        for _ in 1...2 { try kernel.perform(.applyFirewall(script: lines, nil)) }
        let table = try #require(kernel.firewallTable("bridge t"))
        #expect(table.sets["s"] == .init(type: "type ifname", flags: ["timeout"], elements: ["\"tap1\" timeout 20ms"]))
        #expect(table.chains["forward"]?.rules == ["iifname @s goto drops"] && table.chains["drops"]?.rules == [])
        #expect(table.chains["forward"]?.hook?.hasPrefix("type filter hook forward priority -10") == true)
        #expect(table.objects["c"]?.kind == "counter")
        let missing = "delete element bridge t s { \"tap2\" }\n"
        #expect(code { () throws(KernelError) in try kernel.perform(.applyFirewall(script: missing, nil)) } == ENOENT)
    }

    @Test("Injected failures hit what matches, as often as asked, and change nothing")
    func injection() throws {
        let kernel = FakeKernel()
        kernel.failNext(2, code: ENOMEM) { $0 == .addNamespace(NamespaceName("qdhcp-1")) }
        for _ in 0..<2 { #expect(code { () throws(KernelError) in try kernel.perform(.addNamespace(space)) } == ENOMEM) }
        #expect(try kernel.namespaces().isEmpty && kernel.performed.isEmpty)
        try kernel.perform(.addNamespace(space))
        kernel.failAlways(link: "brq1")
        for _ in 0..<3 {
            #expect(code { () throws(KernelError) in try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), nil)) } == EIO)
        }
        kernel.stopFailing()
        try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), nil))
        #expect(kernel.performed.count == 2)
    }

    @Test("Processes run in namespaces, write their process ids, and end by signals")
    func processes() throws {
        let kernel = FakeKernel()
        let command = ["dnsmasq", "--conf-file=/a/conf", "--pid-file=/a/pid"]
        #expect(code { () throws(KernelError) in try kernel.start(command, in: space, timeoutMilliseconds: 100) } == ENOENT)
        try kernel.start(command, in: nil, timeoutMilliseconds: 100)
        let process = try #require(kernel.processes(marked: "/a/conf").first)
        #expect(try kernel.readFile("/a/pid") == "\(process.id)\n")
        try kernel.signal(SIGHUP, process: process.id)
        #expect(!kernel.waitForExit(process: process.id, timeoutMilliseconds: 100))
        try kernel.signal(SIGTERM, process: process.id)
        #expect(kernel.waitForExit(process: process.id, timeoutMilliseconds: 100))
        #expect(code { () throws(KernelError) in try kernel.signal(SIGTERM, process: process.id) } == ESRCH)
        #expect(kernel.signals.map(\.signal) == [SIGHUP, SIGTERM])
    }

    @Test("Files live in directories that are listed and removed as a whole")
    func files() throws {
        let kernel = FakeKernel()
        try kernel.writeFile("/a/b/one", "1")
        try kernel.writeFile("/a/two", "2")
        try kernel.makeNamedPipe("/a/pipe")
        #expect(try kernel.listDirectory("/a") == ["b", "pipe", "two"])
        try kernel.removeFile("/a/b")
        #expect(try kernel.readFile("/a/b/one") == nil)
        #expect(try kernel.listDirectory("/a") == ["pipe", "two"])
        #expect(try kernel.listDirectory("/none").isEmpty)
    }
}
