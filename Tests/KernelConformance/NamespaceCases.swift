import Addressing
import KernelInterface

extension KernelConformance {
    static let namespaceCases = [
        Case(description: "Namespaces come and go, once each") { subject in
            let kernel = subject.kernel
            try subject.expect(try kernel.namespaces().isSuperset(of: [subject.first, subject.second]), "both are listed")
            try subject.expectRefusal(.addNamespace(subject.first), code: ErrorCode.exists)
            try kernel.perform(.removeNamespace(subject.first))
            try subject.expect(try !kernel.namespaces().contains(subject.first), "it is gone")
            try subject.expectRefusal(.removeNamespace(subject.first), code: ErrorCode.noSuchFile)
            try subject.expectRefusal(.addLink(Link(name: "brq-one", kind: .bridge), subject.first), code: ErrorCode.noSuchFile)
            do throws(KernelError) {
                _ = try kernel.links(in: subject.first)
            } catch {
                try subject.expect(error.code == ErrorCode.noSuchFile, "a namespace that is gone has no links: \(error)")
                return
            }
            throw Failure(description: "a namespace that is gone must not be listed")
        },
        Case(description: "A new namespace holds the loopback device, up, and nothing else") { subject in
            let links = try subject.kernel.links(in: subject.first)
            try subject.expect(links.map(\.name) == ["lo"] && links.map(\.isUp) == [true], "found \(links)")
            try subject.expect(links.map(\.kind) == [.foreign], "the loopback device is the kernel's own")
            try subject.expect(try subject.kernel.addresses(in: subject.first).isEmpty, "addresses of host scope are left out")
        },
        Case(description: "A namespace takes its links and their other ends along") { subject in
            let veth = Link(name: "tap-one", kind: .veth(peer: "qr-one", peerNamespace: subject.second))
            try subject.kernel.perform(.addLink(veth, subject.first))
            try subject.kernel.perform(.removeNamespace(subject.second))
            try subject.eventually("the other end goes with the namespace") { try !subject.hasLink("tap-one", in: subject.first) }
        },
        Case(description: "A namespace that is made again under its name is empty") { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            try kernel.perform(.removeNamespace(subject.first))
            try kernel.perform(.addNamespace(subject.first))
            try subject.expect(try !subject.hasLink("brq-one", in: subject.first), "nothing of the old one is left")
        },
        Case(description: "A sysctl changes in its namespace only") { subject in
            let kernel = subject.kernel
            let path = "net/ipv4/ip_forward"
            try kernel.perform(.setSysctl(path: path, value: "0", subject.second))
            try kernel.perform(.setSysctl(path: path, value: "1", subject.first))
            try subject.expect(try kernel.sysctl(path, in: subject.first) == "1", "it is set in its namespace")
            try subject.expect(try kernel.sysctl(path, in: subject.second) == "0", "it is not set in another")
            try subject.expectRefusal(.setSysctl(path: "net/ipv4/no_such_value", value: "1", subject.first), code: ErrorCode.noSuchFile)
        },
        Case(description: "A firewall script makes tables in its namespace and changes the generation") { subject in
            let kernel = subject.kernel
            let before = try kernel.firewallGeneration(in: subject.first)
            let script = """
                table inet neutrino_a {
                  chain one {
                    type filter hook forward priority filter; policy accept;
                    ip saddr 192.0.2.1 drop
                  }
                }
                table bridge neutrino_b {
                  set ports {
                    type ifname
                  }
                }

                """
            try kernel.perform(.applyFirewall(script: script, subject.first))
            let tables = try kernel.firewallTables(in: subject.first)
            try subject.expect(tables == ["inet neutrino_a", "bridge neutrino_b"], "found \(tables)")
            let after = try kernel.firewallGeneration(in: subject.first)
            try subject.expect(after != before, "the generation changes with the ruleset")
            try subject.expect(try kernel.firewallGeneration(in: subject.first) == after, "reading does not change it")
            try subject.expect(try kernel.firewallTables(in: subject.second).isEmpty, "the other namespace has no tables")
            try kernel.perform(.applyFirewall(script: "delete table inet neutrino_a\n", subject.first))
            try subject.expect(try kernel.firewallTables(in: subject.first) == ["bridge neutrino_b"], "a deleted table is gone")
        },
        Case(description: "A firewall script with a fault in its second line leaves nothing") { subject in
            let kernel = subject.kernel
            let before = try kernel.firewallGeneration(in: subject.first)
            try subject.expectRefusal(
                .applyFirewall(script: "add table inet neutrino_a\ndelete table inet neutrino_none\n", subject.first))
            try subject.expect(try kernel.firewallTables(in: subject.first).isEmpty, "nothing of the script is left")
            try subject.expect(try kernel.firewallGeneration(in: subject.first) == before, "the generation stays")
        },
        Case(description: "An address of a link that is up is announced") { subject in
            let kernel = subject.kernel
            let veth = Link(name: "tap-one", kind: .veth(peer: "qr-one", peerNamespace: subject.second))
            try kernel.perform(.addLink(veth, subject.first))
            for text in ["192.0.2.1/24", "2001:db8::1/64"] {
                let address = LinkAddress(link: "tap-one", address: try subject.interfaceAddress(text))
                try kernel.perform(.addAddress(address, subject.first))
                try kernel.perform(.announce(address, subject.first))
            }
        },
    ]
}
