from prometheus_client import CollectorRegistry, generate_latest

from sscsi_driver.metrics import ContentAge, DriverMetrics, VolumeGauges


def test_names_and_labels_are_those_of_release_1_6() -> None:
    registry = CollectorRegistry()
    metrics = DriverMetrics(registry)
    metrics.published("aws")
    metrics.publish_failed("aws", "GRPCProviderError")
    metrics.unpublished()
    metrics.unpublish_failed()
    metrics.rotated("aws", 0.12)
    metrics.rotation_failed("aws", "FileWriteError")

    lines = generate_latest(registry).decode().splitlines()

    for line in (
        'node_publish_total{os_type="linux",provider="aws"} 1.0',
        'node_publish_error_total{error_type="GRPCProviderError",os_type="linux",provider="aws"} 1.0',
        'node_unpublish_total{os_type="linux"} 1.0',
        'node_unpublish_error_total{os_type="linux"} 1.0',
        'rotation_reconcile_total{os_type="linux",provider="aws",rotated="true"} 1.0',
        'rotation_reconcile_error_total{error_type="FileWriteError",os_type="linux",provider="aws",rotated="true"} 1.0',
        'rotation_reconcile_duration_sec_bucket{le="0.1",os_type="linux"} 0.0',
        'rotation_reconcile_duration_sec_bucket{le="0.1349",os_type="linux"} 1.0',
        'rotation_reconcile_duration_sec_bucket{le="2.0",os_type="linux"} 1.0',
    ):
        assert line in lines


def test_words_that_others_choose_are_bounded() -> None:
    registry = CollectorRegistry()
    metrics = DriverMetrics(registry)
    for number in range(200):
        metrics.publish_failed(f"provider-{number}", f"code {number}" if number % 2 else f"code{number}")
    metrics.publish_failed("provider-0", "code0")
    metrics.publish_failed("x" * 65, "a\nb")

    text = generate_latest(registry).decode()

    series = [line for line in text.splitlines() if line.startswith("node_publish_error_total{")]
    assert len(series) <= 64 * 2 + 4
    assert (
        registry.get_sample_value(
            "node_publish_error_total", {"provider": "provider-0", "error_type": "code0", "os_type": "linux"}
        )
        == 2
    )
    assert 'error_type="other"' in text


def test_what_is_read_off_the_volumes() -> None:
    registry = CollectorRegistry()
    registry.register(VolumeGauges(lambda: {"waiting": 3, "tokens": 1}, lambda: [ContentAge("shop", "demo", 90.0)]))
    lines = generate_latest(registry).decode().splitlines()
    assert 'sscsi_volumes{state="waiting"} 3.0' in lines
    assert 'sscsi_volumes{state="tokens"} 1.0' in lines
    assert 'sscsi_content_age_seconds{class="demo",namespace="shop"} 90.0' in lines


def test_series_exist_before_anything_has_happened() -> None:
    registry = CollectorRegistry()
    DriverMetrics(registry)
    text = generate_latest(registry).decode()
    for name in ("node_publish_total", "node_unpublish_total", "rotation_reconcile_total"):
        assert name in text, "what the existing driver's own end-to-end tests look for"
    assert 'node_unpublish_total{os_type="linux"} 0.0' in text
    assert 'sscsi_rotation_skipped_total{reason="tokens"} 0.0' in text
