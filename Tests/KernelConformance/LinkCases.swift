import Addressing
import KernelInterface

extension KernelConformance {
    static let linkCases = [
        Case(description: "A bridge is found as it was made, and goes when it is removed") { subject in
            let kernel = subject.kernel
            let bridge = Link(
                name: "brq-one", kind: .bridge, mac: try subject.mac("fa:16:3e:00:00:01"), mtu: 1450, alias: "neutrino:bridge")
            try kernel.perform(.addLink(bridge, subject.first))
            try subject.expectSame(subject.link("brq-one", in: subject.first), bridge)
            try subject.expect(try !subject.hasLink("brq-one", in: subject.second), "a link is in one namespace only")
            try kernel.perform(.removeLink(name: "brq-one", subject.first))
            try subject.expect(try !subject.hasLink("brq-one", in: subject.first), "the bridge is gone")
        },
        Case(description: "A VXLAN device that is a port of a bridge has the flags that it was made with") { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            var options = BridgePortOptions()
            options.suppressesNeighbours = true
            options.learns = false
            let vxlan = Link(
                name: "vxlan-7", kind: .vxlan(vni: 7, local: try subject.address("192.0.2.1"), port: 4789, isLearning: false), mtu: 1400,
                bridge: "brq-one", bridgePort: options, alias: "neutrino:vxlan")
            try kernel.perform(.addLink(vxlan, subject.first))
            try subject.expectSame(subject.link("vxlan-7", in: subject.first), vxlan)
        },
        Case(description: "A VXLAN device may send from an IPv6 address and learn") { subject in
            let vxlan = Link(
                name: "vxlan-8", kind: .vxlan(vni: 8, local: try subject.address("2001:db8::1"), port: 8472, isLearning: true))
            try subject.kernel.perform(.addLink(vxlan, subject.first))
            try subject.expectSame(subject.link("vxlan-8", in: subject.first), vxlan)
        },
        Case(description: "A veth pair over two namespaces names the other end on both sides") { subject in
            let kernel = subject.kernel
            let veth = Link(
                name: "tap-one", kind: .veth(peer: "qr-one", peerNamespace: subject.second), mac: try subject.mac("fa:16:3e:00:00:02"),
                mtu: 1450)
            try kernel.perform(.addLink(veth, subject.first))
            try subject.expectSame(subject.link("tap-one", in: subject.first), veth)
            let peer = Link(
                name: "qr-one", kind: .veth(peer: "tap-one", peerNamespace: subject.first), mac: try subject.mac("fa:16:3e:00:00:03"),
                mtu: 1450, isUp: true, alias: "neutrino:peer")
            try kernel.perform(.changeLink(peer, subject.second))
            try subject.expectSame(subject.link("qr-one", in: subject.second), peer)
            try kernel.perform(.removeLink(name: "qr-one", subject.second))
            try subject.expect(try !subject.hasLink("tap-one", in: subject.first), "the ends of a pair go together")
        },
        Case(description: "A veth pair may have both ends in one namespace") { subject in
            let veth = Link(name: "left", kind: .veth(peer: "right", peerNamespace: subject.first), isUp: false)
            try subject.kernel.perform(.addLink(veth, subject.first))
            try subject.expectSame(subject.link("left", in: subject.first), veth)
            let right = try subject.link("right", in: subject.first)
            try subject.expect(right.kind == .veth(peer: "left", peerNamespace: subject.first), "found \(right)")
        },
        Case(description: "A change moves a link between bridges, with MAC, MTU, port flags, alias and state") { subject in
            let kernel = subject.kernel
            for name in ["brq-one", "brq-two"] { try kernel.perform(.addLink(Link(name: name, kind: .bridge), subject.first)) }
            var link = Link(
                name: "tap-one", kind: .veth(peer: "eth0", peerNamespace: subject.second), mtu: 1500, bridge: "brq-one", alias: "before")
            try kernel.perform(.addLink(link, subject.first))
            try subject.expectSame(subject.link("tap-one", in: subject.first), link)
            link.mac = try subject.mac("fa:16:3e:00:00:04")
            link.mtu = 1400
            link.bridge = "brq-two"
            link.bridgePort = BridgePortOptions(suppressesNeighbours: true, learns: false)
            link.alias = "after"
            link.isUp = false
            try kernel.perform(.changeLink(link, subject.first))
            try subject.expectSame(subject.link("tap-one", in: subject.first), link)
            link.isUp = true
            link.bridgePort = BridgePortOptions()
            try kernel.perform(.changeLink(link, subject.first))
            try subject.expectSame(subject.link("tap-one", in: subject.first), link)
            link.bridge = nil
            try kernel.perform(.changeLink(link, subject.first))
            try subject.expectSame(subject.link("tap-one", in: subject.first), link)
        },
        Case(description: "A VLAN device takes a tag of its parent, once, and goes with it", needs: .vlanDevices) { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            let parent = Link(name: "eth-one", kind: .veth(peer: "far", peerNamespace: subject.second), isUp: false)
            try kernel.perform(.addLink(parent, subject.first))
            let vlan = Link(
                name: "eth-one.5", kind: .vlan(parent: "eth-one", id: 5), mtu: 1400, bridge: "brq-one", alias: "neutrino:vlan")
            try kernel.perform(.addLink(vlan, subject.first))
            try subject.expectSame(subject.link("eth-one.5", in: subject.first), vlan)
            try subject.expectRefusal(
                .addLink(Link(name: "other", kind: .vlan(parent: "eth-one", id: 5)), subject.first), code: ErrorCode.exists)
            try subject.expectRefusal(
                .addLink(Link(name: "lost", kind: .vlan(parent: "eth-none", id: 5)), subject.first), code: ErrorCode.noSuchDevice)
            try kernel.perform(.removeLink(name: "eth-one", subject.first))
            try subject.expect(try !subject.hasLink("eth-one.5", in: subject.first), "the sub-interface goes with its parent")
        },
        Case(description: "A link that exists is not made again, and one that does not exist is neither changed nor removed") { subject in
            let bridge = Link(name: "brq-one", kind: .bridge)
            try subject.kernel.perform(.addLink(bridge, subject.first))
            try subject.expectRefusal(.addLink(bridge, subject.first), code: ErrorCode.exists)
            let absent = Link(name: "brq-two", kind: .bridge)
            try subject.expectRefusal(.changeLink(absent, subject.first), code: ErrorCode.noSuchDevice)
            try subject.expectRefusal(.removeLink(name: "brq-two", subject.first), code: ErrorCode.noSuchDevice)
            try subject.expectRefusal(.addLink(Link(name: "tap-one", kind: .foreign), subject.first))
        },
        Case(description: "A link into a bridge that does not exist is not made at all") { subject in
            let link = Link(name: "tap-one", kind: .veth(peer: "eth0", peerNamespace: subject.second), bridge: "brq-none")
            try subject.expectRefusal(.addLink(link, subject.first), code: ErrorCode.noSuchDevice)
            try subject.expect(try !subject.hasLink("tap-one", in: subject.first), "no half a link is left")
            try subject.expect(try !subject.hasLink("eth0", in: subject.second), "no other end is left")
        },
    ]
}
