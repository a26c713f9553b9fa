import { VkPayButton } from './button.js';

if (!customElements.get('vk-pay-button')) customElements.define('vk-pay-button', VkPayButton);
