"""Charts, sliders and lines, as SVG."""
