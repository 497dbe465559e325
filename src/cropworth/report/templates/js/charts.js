for (const [id, figure] of Object.entries(figures)) {
  Plotly.newPlot(id, figure.data, figure.layout, { responsive: true, displayModeBar: false });
}
const resize = (change) => () => Object.keys(figures).forEach((id) => Plotly.relayout(id, change));
addEventListener("beforeprint", resize({ width: 660, autosize: false }));
addEventListener("afterprint", resize({ width: null, autosize: true }));
