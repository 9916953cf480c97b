"""What a rendered release is, whatever the chart's style: workloads, images, migrations; data in, data out."""
