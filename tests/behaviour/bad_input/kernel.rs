//! What only the kernel can refuse: values out of its range, features that it does not have.

use bridgework::{EndpointConfig, Errno, Fault, FaultInjector, Firewall, HostConfig};

use super::{host_with, net, refused_connect};
use crate::lab;

#[test]
fn what_the_kernel_refuses_is_told_with_errno_and_step() {
    let injector = FaultInjector::new();
    let config = HostConfig::new().firewall(Firewall::Off);
    let host = host_with(config.fault_injector(injector.clone()));
    let before = host.snapshot().unwrap();
    injector.fail_nth(3, Errno::ENOMEM); // after the reading of what is there, and the bridge
    let error = host
        .create_network(net().bridge_name("br-mine"))
        .unwrap_err();
    let [Fault::Kernel { doing, errno, .. }] = error.faults() else {
        panic!("{error}");
    };
    assert_eq!(
        (*errno, error.errno()),
        (Errno::ENOMEM, Some(Errno::ENOMEM))
    );
    assert!(
        doing.starts_with("ip link set dev br-mine alias "),
        "{doing}"
    );
    assert!(
        error.to_string().ends_with("Out of memory (ENOMEM)"),
        "{error}"
    );
    assert!(error.left_behind().is_empty());
    assert_eq!(host.snapshot().unwrap(), before);
    host.create_network(net().bridge_name("br-mine")).unwrap();
}

#[test]
fn a_feature_that_the_kernel_does_not_have_is_told_by_name() {
    let injector = FaultInjector::new();
    let config = HostConfig::new().firewall(Firewall::Off);
    let host = host_with(config.fault_injector(injector.clone()));
    let before = host.snapshot().unwrap();
    injector.fail_nth(2, Errno::EOPNOTSUPP); // after the reading of what is there
    let error = host.create_network(net()).unwrap_err();
    assert!(error.is_unsupported());
    assert_eq!(
        error.to_string(),
        "create network net: bridge is not in this kernel: build it in, or load its module"
    );
    assert_eq!(host.snapshot().unwrap(), before);

    let net = host.create_network(net()).unwrap();
    injector.fail_nth(1, Errno::EOPNOTSUPP); // the first step
    let web = lab::container("web");
    let error = refused_connect(&host, &net, &web, EndpointConfig::new());
    assert!(error.is_unsupported());
    assert_eq!(
        error.to_string(),
        "connect web to net: veth is not in this kernel: build it in, or load its module"
    );
}
