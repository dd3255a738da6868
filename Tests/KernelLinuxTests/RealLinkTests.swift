import Addressing
import CLinux
import Glibc
import KernelInterface
import Testing

@testable import KernelLinux

extension RealKernelTests {
    @Test("A veth pair over two namespaces carries a ping, and iproute2 sees what was made")
    func ping() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 2) { names in
            let (left, right) = (names[0], names[1])
            let veth = Link(name: "left", kind: .veth(peer: "right", peerNamespace: right), alias: "neutrino:test")
            try kernel.perform(.addLink(veth, left))
            try kernel.perform(.changeLink(Link(name: "right", kind: .veth(peer: "left", peerNamespace: left)), right))
            for (namespace, link, texts) in [
                (left, "left", ["192.0.2.1/24", "2001:db8::1/64"]), (right, "right", ["192.0.2.2/24", "2001:db8::2/64"]),
            ] {
                for text in texts {
                    let address = LinkAddress(link: link, address: try #require(InterfaceAddress(text)))
                    try kernel.perform(.addAddress(address, namespace))
                }
            }
            for target in ["192.0.2.2", "2001:db8::2"] {
                let result = try runProgram(["ping", "-c", "1", "-w", "5", target], namespace: left, timeoutMilliseconds: 10_000)
                #expect(result.exitCode == 0, "\(result)")
            }
            let shown = try runProgram(["ip", "link", "show", "left"], namespace: left, timeoutMilliseconds: 5000)
            #expect(shown.standardOutput.contains("link-netns \(right)"))
            #expect(shown.standardOutput.contains("alias neutrino:test"))
            let listed = try runProgram(["ip", "netns", "list"], timeoutMilliseconds: 5000)
            #expect(listed.standardOutput.contains(left.description))
        }
    }

    @Test("iproute2 shows the VXLAN port, its flags and its forwarding entries as they were asked for")
    func vxlan() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            let namespace = names[0]
            try kernel.perform(.addLink(Link(name: "br", kind: .bridge), namespace))
            let local = try #require(IPAddress("192.0.2.1"))
            try kernel.perform(
                .addLink(
                    Link(
                        name: "vx", kind: .vxlan(vni: 7, local: local, port: 4789, isLearning: false), bridge: "br",
                        bridgePort: BridgePortOptions(suppressesNeighbours: true, learns: false)), namespace))
            let remote = try #require(IPAddress("192.0.2.9"))
            let mac = try #require(MACAddress("fa:16:3e:00:00:01"))
            try kernel.perform(.addForwarding(.tunnel(mac: .zero, link: "vx", remote: remote), namespace))
            try kernel.perform(.addForwarding(.bridgePort(mac: mac, link: "vx"), namespace))
            let port = try runProgram(["bridge", "-d", "link", "show", "dev", "vx"], namespace: namespace, timeoutMilliseconds: 5000)
            #expect(port.standardOutput.contains("learning off") && port.standardOutput.contains("neigh_suppress on"), "\(port)")
            let entries = try runProgram(["bridge", "fdb", "show", "dev", "vx"], namespace: namespace, timeoutMilliseconds: 5000)
            #expect(entries.standardOutput.contains("00:00:00:00:00:00 dst 192.0.2.9 self permanent"), "\(entries)")
            #expect(entries.standardOutput.contains("fa:16:3e:00:00:01 master br static"), "\(entries)")
            let device = try runProgram(["ip", "-d", "link", "show"], namespace: namespace, timeoutMilliseconds: 5000)
            #expect(device.standardOutput.contains("vxlan id 7 local 192.0.2.1"), "\(device)")
            #expect(device.standardOutput.contains("forward_delay 0") && device.standardOutput.contains("mcast_snooping 0"), "\(device)")
        }
    }

    @Test(
        "A bridge that somebody else made with a spanning tree and snooping has neither once it is taken over, nor learns from link-local frames"
    )
    func adoptedBridge() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            func shown() throws -> String {
                try runProgram(["ip", "-d", "link", "show", "br"], namespace: names[0], timeoutMilliseconds: 5000).standardOutput
            }
            let options = ["stp_state", "1", "forward_delay", "1500", "mcast_snooping", "1"]
            let made = try runProgram(
                ["ip", "link", "add", "name", "br", "type", "bridge"] + options, namespace: names[0], timeoutMilliseconds: 5000)
            #expect(made.exitCode == 0, "\(made)")
            let before = try shown()
            #expect(
                before.contains("stp_state 1") && before.contains("mcast_snooping 1") && before.contains("no_linklocal_learn 0"),
                "\(before)")
            #expect(try kernel.links(in: names[0]).first { $0.name == "br" }?.alterations.isEmpty == false)
            try kernel.perform(.changeLink(Link(name: "br", kind: .bridge, alias: "neutrino:bridge"), names[0]))
            let after = try shown()
            #expect(try kernel.links(in: names[0]).first { $0.name == "br" }?.alterations == [])
            for option in ["stp_state 0", "forward_delay 0", "mcast_snooping 0", "no_linklocal_learn 1", "group_fwd_mask 0x4000"] {
                #expect(after.contains("\(option) "), "\(option): \(after)")
            }
        }
    }

    @Test("Flags of a bridge's port that somebody set are found, each by its name, and a change of the port takes them away")
    func portFlags() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            func run(_ words: String) throws {
                let arguments = words.split(separator: " ").map(String.init)
                let result = try runProgram(arguments, namespace: names[0], timeoutMilliseconds: 5000)
                #expect(result.exitCode == 0, "\(words): \(result)")
            }
            func port() throws -> Link { try #require(try kernel.links(in: names[0]).first { $0.name == "tap1" }) }
            try kernel.perform(.addLink(Link(name: "br", kind: .bridge), names[0]))
            let made = Link(name: "tap1", kind: .veth(peer: "eth0", peerNamespace: names[0]), bridge: "br", alias: "neutrino:one")
            try kernel.perform(.addLink(made, names[0]))
            try run("ip link set eth0 up")
            // The kernel takes note of a carrier up to a second late, and the bridge with it.
            let isRunning = try RealKernel.eventually {
                let shown = try runProgram(["ip", "link", "show", "tap1"], namespace: names[0], timeoutMilliseconds: 5000)
                return shown.standardOutput.contains("state UP")
            }
            #expect(isRunning)
            let before = try port()
            #expect(before.bridgePort == BridgePortOptions())
            let damages: [(String, BridgePortAlteration)] = [
                ("bridge link set dev tap1 isolated on", .isolated), ("bridge link set dev tap1 hairpin on", .hairpin),
                ("bridge link set dev tap1 flood off", .flood), ("bridge link set dev tap1 mcast_flood off", .multicastFlood),
                ("bridge link set dev tap1 bcast_flood off", .broadcastFlood), ("bridge link set dev tap1 locked on", .locked),
                ("ip link set tap1 type bridge_slave proxy_arp on", .proxyARP),
                ("ip link set tap1 type bridge_slave proxy_arp_wifi on", .proxyARPWiFi), ("bridge link set dev tap1 state 0", .state),
            ]
            for (command, alteration) in damages {
                try run(command)
                #expect(try port().bridgePort.alterations == [alteration], "\(command)")
                try kernel.perform(.changeLink(made, names[0]))
                #expect(try port() == before, "\(command)")
            }
            for (command, _) in damages { try run(command) }
            #expect(try port().bridgePort.alterations == Set(BridgePortAlteration.allCases))
            try kernel.perform(.changeLink(made, names[0]))
            #expect(try port() == before)
            // A port without a carrier forwards nothing, and that is no alteration.
            try run("ip link set eth0 down")
            #expect(try port().bridgePort == BridgePortOptions())
        }
    }

    @Test(
        "A bridge learns a limited number of MACs, whoever invents them, and so does a tunnel",
        .enabled(if: RealKernel.release >= 6.08, "bridges before Linux 6.8 have no limit"))
    func learningLimit() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            func run(_ script: String) throws -> String {
                let result = try runProgram(["sh", "-c", script], namespace: names[0], timeoutMilliseconds: 30_000)
                #expect(result.exitCode == 0, "\(script): \(result)")
                return result.standardOutput
            }
            try kernel.perform(.addLink(Link(name: "br", kind: .bridge), names[0]))
            let local = IPAddress.v4(IPv4Address(192, 0, 2, 1))
            let tunnel = Link(name: "vxlan-7", kind: .vxlan(vni: 7, local: local, port: 4789, isLearning: true), bridge: "br")
            try kernel.perform(.addLink(tunnel, names[0]))
            let port = Link(name: "tap1", kind: .veth(peer: "eth0", peerNamespace: names[0]), bridge: "br")
            try kernel.perform(.addLink(port, names[0]))
            _ = try run("ip link set eth0 up")
            #expect(try kernel.links(in: names[0]).first { $0.name == "br" }?.alterations == [])
            // Each frame has a MAC of its own. socat sends what it reads at once as one frame.
            let frames = Int(maximumLearnedMACs) + 3000
            let path = "/tmp/\(names[0])-frames"
            defer { unlink(path) }
            _ = try run(
                """
                busybox awk 'BEGIN { for (i = 0; i < \(frames); i++) {
                  printf "ffffffffffff02000000%04x88b5", i
                  for (j = 0; j < 46; j++) printf "00" } }' | busybox xxd -r -p > \(path)
                socat -b 60 -u OPEN:\(path) INTERFACE:eth0
                """)
            func learned() throws -> Int {
                let count = try run("bridge fdb show br br | grep -c '^02:00:00:00:' || true")
                return count.split(separator: "\n").first.flatMap { Int($0) } ?? 0
            }
            let isFull = try RealKernel.eventually { try learned() >= Int(maximumLearnedMACs) - 8 }
            let count = try learned()
            #expect(isFull && count <= Int(maximumLearnedMACs), "\(count)")
        }
    }

    @Test("A tunnel that somebody let send with another TTL, or to a group, is no tunnel of ours any more")
    func alteredTunnel() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            let local = IPAddress.v4(IPv4Address(192, 0, 2, 1))
            for damage in ["ttl 1", "tos 4", "group 239.1.1.1 dev eth0"] {
                try kernel.perform(.addLink(Link(name: "eth0", kind: .veth(peer: "eth1", peerNamespace: names[0])), names[0]))
                let tunnel = Link(name: "vxlan-7", kind: .vxlan(vni: 7, local: local, port: 4789, isLearning: true))
                try kernel.perform(.addLink(tunnel, names[0]))
                func kind() throws -> LinkKind? { try kernel.links(in: names[0]).first { $0.name == "vxlan-7" }?.kind }
                #expect(try kind() == tunnel.kind)
                let words = "ip link set vxlan-7 type vxlan id 7 \(damage)".split(separator: " ").map(String.init)
                let result = try runProgram(words, namespace: names[0], timeoutMilliseconds: 5000)
                #expect(result.exitCode == 0, "\(damage): \(result)")
                #expect(try kind() == .foreign, "\(damage)")
                for name in ["vxlan-7", "eth0"] { try kernel.perform(.removeLink(name: name, names[0])) }
            }
        }
    }

    @Test("The kernel's own words are part of an error")
    func kernelWords() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            try kernel.perform(.addLink(Link(name: "br", kind: .bridge), names[0]))
            let route = Route(destination: try #require(IPPrefix("0.0.0.0/0")), gateway: IPAddress("192.0.2.1"), link: "br")
            let error = #expect(throws: KernelError.self) { try kernel.perform(.setRoute(route, names[0])) }
            #expect(
                error?.description
                    == "cannot set route 0.0.0.0/0 via 192.0.2.1 dev br in namespace \(names[0]): "
                    + "Network is unreachable (Nexthop has invalid gateway)")
        }
    }

    @Test("Descriptors do not pile up while namespaces come and go, also when somebody else removes them")
    func descriptors() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            func round(_ isForeign: Bool) throws {
                let name = RealKernel.freshName()
                try kernel.perform(.addNamespace(name))
                try kernel.perform(.addLink(Link(name: "a", kind: .veth(peer: "b", peerNamespace: names[0])), name))
                try kernel.perform(.applyFirewall(script: "add table inet one\n", name))
                _ = try kernel.firewallGeneration(in: name)
                _ = try kernel.links(in: name)
                _ = try kernel.sysctl("net/ipv4/ip_forward", in: name)
                if isForeign {
                    _ = try runProgram(["ip", "netns", "delete", name.description], timeoutMilliseconds: 5000)
                    _ = try kernel.namespaces()
                } else {
                    try kernel.perform(.removeNamespace(name))
                }
                // The namespace is really gone when the other end of the pair is.
                #expect(try RealKernel.eventually { try !kernel.links(in: names[0]).contains { $0.name == "b" } })
            }
            // The first round opens what stays open: the common namespace's socket.
            try round(false)
            let before = try RealKernel.openDescriptors()
            for number in 0..<RealKernel.descriptorTolerance { try round(number % 2 == 0) }
            #expect(try RealKernel.eventually { try RealKernel.openDescriptors() < before + RealKernel.descriptorTolerance })
        }
    }

    @Test("A namespace that somebody else made again under its name is the new one")
    func replacedNamespace() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            try kernel.perform(.addLink(Link(name: "br", kind: .bridge), names[0]))
            for action in ["delete", "add"] {
                _ = try runProgram(["ip", "netns", action, names[0].description], timeoutMilliseconds: 5000)
            }
            #expect(try kernel.links(in: names[0]).map(\.name) == ["lo"])
        }
    }

    @Test("A stale file in the directory of namespaces is no namespace, and is used for one")
    func staleFile() throws {
        let kernel = LinuxKernel()
        let name = RealKernel.freshName()
        defer { try? kernel.perform(.removeNamespace(name)) }
        close(open(NamespaceRunner.path(of: name), O_RDONLY | O_CREAT | O_CLOEXEC, 0))
        #expect(try !kernel.namespaces().contains(name))
        #expect(throws: KernelError.self) { try kernel.links(in: name) }
        try kernel.perform(.addNamespace(name))
        #expect(try kernel.namespaces().contains(name))
        #expect(try kernel.links(in: name).map(\.name) == ["lo"])
        try kernel.perform(.removeNamespace(name))
        close(open(NamespaceRunner.path(of: name), O_RDONLY | O_CREAT | O_CLOEXEC, 0))
        try kernel.perform(.removeNamespace(name))
        #expect(access(NamespaceRunner.path(of: name), F_OK) != 0)
    }

    @Test("A namespace that is mounted twice is removed with both mounts")
    func doubleMount() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            try NamespaceRunner.run(in: names[0]) {
                #expect(clinux_mount_network_namespace(NamespaceRunner.path(of: names[0])) == 0)
            }
            try kernel.perform(.removeNamespace(names[0]))
            #expect(access(NamespaceRunner.path(of: names[0]), F_OK) != 0)
        }
    }

    @Test("A thread that asks for something in a namespace stays where it is")
    func threadStays() throws {
        let kernel = LinuxKernel()
        // Where no name holds the file, its inode is made anew for each look.
        func thread() -> UInt64? { NamespaceHandle.Identity(of: "/proc/thread-self/ns/net")?.inode }
        let own = thread()
        try RealKernel.withNamespaces(kernel, 1) { names in
            _ = try kernel.links(in: names[0])
            let inside = try NamespaceRunner.run(in: names[0]) { thread() }
            #expect(inside == NamespaceHandle.Identity(of: NamespaceRunner.path(of: names[0]))?.inode)
            #expect(inside != own)
            #expect(thread() == own)
        }
    }

    @Test("More namespaces than there are handles are all reached")
    func handleLimit() throws {
        let kernel = LinuxKernel()
        let before = try RealKernel.openDescriptors()
        try RealKernel.withNamespaces(kernel, NamespaceHandles.limit + 40) { names in
            let counts = try names.map { try kernel.links(in: $0).count }
            #expect(counts.allSatisfy { $0 == 1 })
            let open = try RealKernel.openDescriptors()
            #expect(open < before + NamespaceHandles.limit + RealKernel.descriptorTolerance)
            let links = try kernel.links(in: names[0])
            #expect(links.count == 1)
        }
        #expect(try RealKernel.eventually { try RealKernel.openDescriptors() < before + RealKernel.descriptorTolerance })
    }

    @Test("An announcement reaches the other end of the wire")
    func announcement() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 2) { names in
            let mac = try #require(MACAddress("fa:16:3e:00:00:01"))
            let veth = Link(name: "left", kind: .veth(peer: "right", peerNamespace: names[1]), mac: mac)
            try kernel.perform(.addLink(veth, names[0]))
            try kernel.perform(.changeLink(Link(name: "right", kind: .foreign), names[1]))
            let address = LinkAddress(link: "left", address: try #require(InterfaceAddress("192.0.2.1/24")))
            let other = LinkAddress(link: "right", address: try #require(InterfaceAddress("192.0.2.2/24")))
            try kernel.perform(.addAddress(address, names[0]))
            try kernel.perform(.addAddress(other, names[1]))
            // A neighbour that knows nothing of the address learns it from the announcement.
            try kernel.perform(.setSysctl(path: "net/ipv4/conf/right/arp_accept", value: "1", names[1]))
            #expect(
                try RealKernel.eventually {
                    try kernel.perform(.announce(address, names[0]))
                    let shown = try runProgram(["ip", "neigh", "show"], namespace: names[1], timeoutMilliseconds: 5000)
                    return shown.standardOutput.contains("192.0.2.1 dev right lladdr fa:16:3e:00:00:01")
                })
        }
    }

    @Test("This machine has what an agent needs, and what is missing is said in a sentence")
    func requirements() {
        #expect(KernelRequirements.check() == [])
        let problems = KernelRequirements.check(programs: ["neutrino-no-such-program": "no-such-package"])
        #expect(
            problems == ["The program neutrino-no-such-program is not on PATH: install it (Debian: apt-get install no-such-package)."])
    }
}

@Suite struct RequirementTests {
    @Test("Only a kernel that is too old is complained about", arguments: ["6.1.0-28-amd64", "5.18.0", "6.18.44", "10.0-rc1", "odd"])
    func newKernels(_ release: String) { #expect(KernelRequirements.oldKernel(release: release).isEmpty) }

    @Test("A kernel that is too old is named", arguments: ["5.17.3", "5.4.0-42-generic", "4.19.0"])
    func oldKernels(_ release: String) {
        #expect(
            KernelRequirements.oldKernel(release: release) == [
                "The kernel is Linux \(release), and must be 5.18 or newer: boot a newer one."
            ])
    }
}
